//! `GET /products`: the products and their stock.

use axum::{extract::State, response::Response};
use contracts::Sku;
use quintet::{
    App,
    http::{Listing, Problem, Query, limit},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::ProductView;
use crate::{InventoryService, Product};

/// How many products a page has unless `limit` says otherwise.
const PRODUCTS: i64 = 500;
/// The most products that a page may have.
const MOST: i64 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many products, at most.
    #[param(minimum = 1, maximum = 1000, default = 500)]
    #[serde(default, deserialize_with = "limit::<MOST, _>")]
    limit: Option<i64>,
    /// The `next` of the previous page.
    cursor: Option<Sku>,
}

/// Products, by SKU.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Products {
    /// The products, by SKU.
    products: Vec<ProductView>,
    /// The `cursor` of the next page; null on the last page.
    next: Option<Sku>,
}

/// Lists the products with their stock.
#[utoipa::path(get, path = "/products", operation_id = "list_products", tag = "products",
    params(Page),
    responses((status = 200, description = "A page of products, and the cursor of the next one.", body = Products)),
)]
pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    Query(page): Query<Page>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = page.limit.unwrap_or(PRODUCTS);
    let mut products: Vec<Product> = app.engine.db().page(page.cursor, limit + 1).await?;
    let more = products.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        products.pop();
    }
    let next = products.last().filter(|_| more).map(|product| product.sku.clone());
    listing.answer(&Products { products: products.iter().map(ProductView::from).collect(), next })
}
