//! `GET /products`: the products and their stock.

use axum::{Json, extract::State};
use contracts::Sku;
use serde::{Deserialize, Serialize};
use service::{
    App,
    http::{Problem, Query},
};

use crate::{InventoryService, Product, store::ProductView};

/// Products of one answer unless asked otherwise, and at most.
const PRODUCTS: i64 = 500;
const MOST: i64 = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<i64>,
    cursor: Option<Sku>,
}

#[derive(Debug, Serialize)]
pub(super) struct Products {
    products: Vec<ProductView>,
    /// Give it as `cursor` to go on.
    next: Option<Sku>,
}

pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    Query(page): Query<Page>,
) -> Result<Json<Products>, Problem> {
    let limit = page.limit.unwrap_or(PRODUCTS);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid("limit", &format!("must be 1 to {MOST}")));
    }
    let mut products: Vec<Product> = app.engine.db().page(page.cursor, limit + 1).await?;
    let more = products.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        products.pop();
    }
    let next = products.last().filter(|_| more).map(|product| product.sku.clone());
    Ok(Json(Products { products: products.iter().map(ProductView::from).collect(), next }))
}
