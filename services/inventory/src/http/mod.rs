//! Inventory's routes.

mod add_stock;
mod list_products;
mod put_product;

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use contracts::Sku;
use quintet::{App, http::Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{InventoryService, Reply};

pub(crate) fn routes() -> OpenApiRouter<App<InventoryService>> {
    OpenApiRouter::default()
        .routes(routes!(list_products::handle))
        .routes(routes!(put_product::handle))
        .routes(routes!(add_stock::handle))
}

/// The SKU in the path.
struct SkuPath(Sku);

impl<S: Send + Sync> FromRequestParts<S> for SkuPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::invalid("sku", Sku::RULE);
        let Path(sku) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| wrong())?;
        sku.parse().map(Self).map_err(|_| wrong())
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
