//! `POST /products/{sku}/stock`: puts more on the shelf.

use axum::{extract::State, response::Response};
use contracts::Sku;
use quintet::{
    App,
    http::{Body, Field, FromJson, Idempotency, Problem, TraceContext},
};
use utoipa::ToSchema;

use super::{SkuPath, answer};
use crate::{AddStock, Command, InventoryService, store::ProductView};

/// Pieces that can come in at once.
const MOST: i64 = 1_000_000_000;

/// What comes in.
#[derive(Debug, ToSchema)]
pub(super) struct Stock {
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: i64,
}

impl<S> FromJson<S> for Stock {
    fn read(body: &Field<'_>, _: &S) -> Option<Self> {
        Some(Self { quantity: body.at("quantity").integer(1..=MOST) })
    }
}

/// Puts more of a product on the shelf.
#[utoipa::path(post, path = "/products/{sku}/stock", operation_id = "add_stock", tag = "products",
    params(
        ("sku" = Sku, Path, description = "The product."),
        ("Idempotency-Key" = String, Header,
            description = "A repeat under the same key within 24 hours gets the first answer again.",
            pattern = "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"),
    ),
    request_body(content = Stock, example = json!({ "quantity": 100 })),
    responses(
        (status = 200, description = "It is on the shelf.", body = ProductView),
        (status = 404, description = "There is no such product."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    SkuPath(sku): SkuPath,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value: Stock { quantity }, fingerprint }: Body<Stock>,
) -> Result<Response, Problem> {
    let key = key.required(&format!("POST /products/{sku}/stock"), fingerprint)?;
    let command = Command::AddStock(AddStock { sku, quantity });
    answer(app.commands.send(command, Some(key), trace).await?)
}
