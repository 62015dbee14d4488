//! `POST /products/{sku}/stock`: puts more on the shelf.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use service::{
    App,
    http::{Body, Fields, Idempotency, Problem, TraceContext},
};

use super::{SkuPath, answer};
use crate::{AddStock, Command, InventoryService};

/// Pieces that can come in at once.
const MOST: i64 = 1_000_000_000;

#[derive(Debug, Deserialize)]
pub(super) struct Stock {
    quantity: i64,
}

pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    SkuPath(sku): SkuPath,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value: Stock { quantity }, hash }: Body<Stock>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    fields.at("/quantity").must((1..=MOST).contains(&quantity), &format!("must be 1 to {MOST}"));
    fields.finish()?;
    let key = key.required(&format!("POST /products/{sku}/stock"), hash)?;
    let command = Command::AddStock(AddStock { sku, quantity });
    answer(app.commands.send(command, Some(key), trace).await?)
}
