//! Inventory's routes.

mod add_stock;
mod list_products;
mod put_product;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use contracts::Sku;
use service::{App, http::Problem};

use crate::{InventoryService, Reply};

pub(crate) fn routes() -> Router<App<InventoryService>> {
    Router::new()
        .route("/products", get(list_products::handle))
        .route("/products/{sku}", put(put_product::handle))
        .route("/products/{sku}/stock", post(add_stock::handle))
}

/// The SKU in the path.
struct SkuPath(Sku);

impl<S: Send + Sync> FromRequestParts<S> for SkuPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(sku) = path.map_err(|error| Problem::invalid("sku", &error.body_text()))?;
        sku.parse()
            .map(Self)
            .map_err(|error: contracts::InvalidSku| Problem::invalid("sku", &error.to_string()))
    }
}

fn answer(reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Product(product, new) => {
            let status = if new { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(product)).into_response())
        }
        Reply::Unknown => {
            Err(Problem::not_found("such product; create it with PUT /products/{sku}"))
        }
        Reply::TooMuch => Err(Problem::unprocessable("/quantity", "is more than the shelf holds")),
    }
}
