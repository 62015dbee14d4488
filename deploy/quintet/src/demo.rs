//! Lists and stocks the demo products of the manifest, so that a new suite has something to order.

use crate::names;
use anyhow::{Context, Result};
use quintet_suite::Component;
use quintet_suite::http::{Api, Request};
use quintet_suite::{Suite, UpContext};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a request is repeated. A service that has just got ready may still wait for its broker.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the order service may take to read the products that inventory published.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// The table `[demo]` of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demo {
    products: Vec<DemoProduct>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DemoProduct {
    sku: String,
    name: String,
    euro_cents: i64,
    stock: i64,
}

/// The answer to `GET /products`.
#[derive(Deserialize)]
struct ProductList {
    products: Vec<ListedProduct>,
}

#[derive(Deserialize)]
struct ListedProduct {
    sku: String,
    stocked: i64,
}

/// The part of `GET /admin/status` that is needed here.
#[derive(Deserialize)]
struct QueueStatus {
    outbox: Outbox,
    lag: i64,
}

#[derive(Deserialize)]
struct Outbox {
    depth: i64,
}

/// Lists and stocks the products of the manifest, and waits until the order service knows them.
///
/// # Errors
/// When the manifest's table is not valid, or inventory refuses a product or does not answer.
pub(crate) async fn bring(suite: &Suite, up: &UpContext<'_>) -> Result<()> {
    let demo = Demo::deserialize(up.demo)
        .context("the suite's file: demo: write products = [{ sku, name, euro_cents, stock }]")?;
    let _progress = up.ui.spinner("listing demo products");
    list_and_stock(suite, up.api, &demo.products).await?;
    if let Err(error) = wait_until_known(suite, up.api).await {
        up.ui.warn(&quintet_suite::explain(&error));
    }
    Ok(())
}

/// Lists products that are not listed yet, and stocks those that were never stocked.
async fn list_and_stock(suite: &Suite, api: &Api, products: &[DemoProduct]) -> Result<()> {
    let url = format!("{}/products", suite.url(names::inventory()));
    let get = Request { method: Method::GET, url: &url, body: None, idempotency_key: None };
    let present: ProductList =
        api.send_until_answered(&get, PATIENCE).await.context("demo products")?;
    for product in products {
        let listed = present.products.iter().find(|listed| listed.sku == product.sku);
        if listed.is_none() {
            list(&url, &product.sku, &product.name, product.euro_cents, api).await?;
        }
        // A start that was interrupted may have listed a product and not stocked it.
        if listed.is_none_or(|listed| listed.stocked == 0) {
            let key = format!("demo-{}", product.sku);
            stock(&url, &product.sku, product.stock, &key, api).await?;
        }
    }
    Ok(())
}

/// Waits until inventory has published its products and the order service has read them. Before that, the order service
/// answers an order with 503.
///
/// # Errors
/// When that takes more than a minute.
pub(crate) async fn wait_until_known(suite: &Suite, api: &Api) -> Result<()> {
    let give_up = Instant::now() + KNOWN_WITHIN;
    loop {
        let unsent = status(suite, names::inventory(), api).await.map(|it| it.outbox.depth);
        let unread = status(suite, names::order(), api).await.map(|it| it.lag);
        match (unsent, unread) {
            (Ok(0), Ok(0)) => return Ok(()),
            (Err(error), _) | (_, Err(error)) if Instant::now() >= give_up => return Err(error),
            (Ok(unsent), Ok(unread)) if Instant::now() >= give_up => anyhow::bail!(
                "the order service does not know all products yet: inventory has {unsent} events to send, order has {unread} to read"
            ),
            _ => sleep(POLL).await,
        }
    }
}

async fn status(suite: &Suite, service: Component, api: &Api) -> Result<QueueStatus> {
    let admin_url = suite.services.get(&service).map(|service| service.admin_url.as_str());
    let url = format!("{}/admin/status", admin_url.unwrap_or_default());
    Ok(api.get(&url).await?)
}

/// Lists a product. `products` is the URL of inventory's products.
///
/// # Errors
/// When inventory refuses or does not answer.
pub(crate) async fn list(
    products: &str,
    sku: &str,
    name: &str,
    euro_cents: i64,
    api: &Api,
) -> Result<()> {
    let url = format!("{products}/{sku}");
    let price = json!({ "amount_minor": euro_cents, "currency": "EUR" });
    let body = json!({ "name": name, "price": price });
    let put = Request { method: Method::PUT, url: &url, body: Some(&body), idempotency_key: None };
    api.send_until_answered::<Value>(&put, PATIENCE).await.with_context(|| sku.to_owned())?;
    Ok(())
}

/// Adds stock to a product. Inventory adds it once for each key, however often this is repeated.
///
/// # Errors
/// When inventory refuses or does not answer.
pub(crate) async fn stock(
    products: &str,
    sku: &str,
    quantity: i64,
    key: &str,
    api: &Api,
) -> Result<()> {
    let url = format!("{products}/{sku}/stock");
    let body = json!({ "quantity": quantity });
    let post =
        Request { method: Method::POST, url: &url, body: Some(&body), idempotency_key: Some(key) };
    api.send_until_answered::<Value>(&post, PATIENCE).await.with_context(|| sku.to_owned())?;
    Ok(())
}
