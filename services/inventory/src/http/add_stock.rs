//! `POST /products/{sku}/stock`: adds stock.

use axum::extract::State;
use contracts::Sku;
use quintet::{
    App,
    http::{Body, CommandResponse, Field, FromJson, Idempotency, Problem, TraceContext},
};
use utoipa::ToSchema;

use super::{SkuPath, reply::response, view::ProductView};
use crate::{AddStock, Command, InventoryService};

/// The most pieces that one request can add.
const MOST: i64 = 1_000_000_000;

/// The stock to add.
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

/// Adds stock of a product.
#[utoipa::path(post, path = "/products/{sku}/stock", operation_id = "add_stock", tag = "products",
    params(
        ("sku" = Sku, Path, description = "The product."),
        ("Idempotency-Key" = String, Header,
            description = "A repeat under the same key within 24 hours gets the first response again.",
            pattern = "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"),
    ),
    request_body(content = Stock, example = json!({ "quantity": 100 })),
    responses(
        (status = 200, description = "The stock is added.", body = ProductView),
        (status = 404, description = "There is no such product."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    SkuPath(sku): SkuPath,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value: Stock { quantity }, fingerprint }: Body<Stock>,
) -> Result<CommandResponse, Problem> {
    let key = key.required(&format!("POST /products/{sku}/stock"), fingerprint)?;
    let command = Command::AddStock(AddStock { sku, quantity });
    response(app.commands.send(command, Some(key), trace).await?)
}
