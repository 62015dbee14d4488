//! `PUT /products/{sku}`: creates or changes a product.

use axum::{extract::State, response::Response};
use contracts::Money;
use serde::Deserialize;
use service::{
    App,
    http::{Body, Fields, Problem, TraceContext},
};

use super::{SkuPath, answer};
use crate::{Command, InventoryService, PutProduct};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The highest price, in minor units.
const HIGHEST_PRICE: i64 = 1_000_000_000;

#[derive(Debug, Deserialize)]
pub(super) struct Product {
    name: String,
    price: Money,
}

pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    SkuPath(sku): SkuPath,
    TraceContext(trace): TraceContext,
    Body { value: Product { name, price }, .. }: Body<Product>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    fields.at("/name").text(&name, LONGEST_NAME);
    let payable = (1..=HIGHEST_PRICE).contains(&price.amount_minor);
    fields.at("/price/amount_minor").must(payable, &format!("must be 1 to {HIGHEST_PRICE}"));
    fields.finish()?;
    let command = Command::PutProduct(PutProduct { sku, name, price });
    answer(app.commands.send(command, None, trace).await?)
}
