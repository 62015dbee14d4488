//! Inventory's routes.

mod add_stock;
mod list_products;
mod put_product;
mod reply;
mod view;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use contracts::Sku;
use quintet::{App, http::Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::InventoryService;

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
