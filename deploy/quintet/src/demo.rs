//! Demo products, so that there is something to order at once.

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

/// A service that has just got ready may still wait for its broker.
const PATIENCE: Duration = Duration::from_secs(30);
const KNOWN_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// The table `[demo]` of the suite's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demo {
    products: Vec<Product>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    sku: String,
    name: String,
    euro_cents: i64,
    stock: i64,
}

#[derive(Deserialize)]
struct Listing {
    products: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    sku: String,
    stocked: i64,
}

#[derive(Deserialize)]
struct Status {
    outbox: Outbox,
    lag: i64,
}

#[derive(Deserialize)]
struct Outbox {
    depth: i64,
}

/// Brings the products of the suite's file, and waits until order knows them.
///
/// # Errors
/// When there are none in the file, or inventory refuses or does not answer.
pub(crate) async fn bring(suite: &Suite, told: &UpContext<'_>) -> Result<()> {
    let demo = Demo::deserialize(told.demo)
        .context("the suite's file: demo: write products = [{ sku, name, euro_cents, stock }]")?;
    let _progress = told.ui.spinner("listing demo products");
    seed(suite, told.api, &demo.products).await?;
    if let Err(error) = wait_until_known(suite, told.api).await {
        told.ui.warn(&quintet_suite::explain(&error));
    }
    Ok(())
}

/// Lists the products that are missing and stocks those that never were.
async fn seed(suite: &Suite, api: &Api, products: &[Product]) -> Result<()> {
    let url = format!("{}/products", suite.url(names::inventory()));
    let get = Request { method: Method::GET, url: &url, body: None, idempotency_key: None };
    let listing: Listing =
        api.send_until_answered(&get, PATIENCE).await.context("demo products")?;
    for product in products {
        let listed = listing.products.iter().find(|listed| listed.sku == product.sku);
        if listed.is_none() {
            list(&url, &product.sku, &product.name, product.euro_cents, api).await?;
        }
        // An interrupted seed may have listed a product without stock.
        if listed.is_none_or(|listed| listed.stocked == 0) {
            let key = format!("demo-{}", product.sku);
            stock(&url, &product.sku, product.stock, &key, api).await?;
        }
    }
    Ok(())
}

/// Waits until order has heard of all that inventory published: then a first order is accepted.
///
/// # Errors
/// When that takes more than a minute.
pub(crate) async fn wait_until_known(suite: &Suite, api: &Api) -> Result<()> {
    let give_up = Instant::now() + KNOWN_WITHIN;
    loop {
        let published = status(suite, names::inventory(), api).await.map(|it| it.outbox.depth);
        let read = status(suite, names::order(), api).await.map(|it| it.lag);
        match (published, read) {
            (Ok(0), Ok(0)) => return Ok(()),
            (Err(error), _) | (_, Err(error)) if Instant::now() >= give_up => return Err(error),
            (Ok(unsent), Ok(unread)) if Instant::now() >= give_up => anyhow::bail!(
                "order still does not know all products: inventory has {unsent} events to send, order {unread} to read"
            ),
            _ => sleep(POLL).await,
        }
    }
}

async fn status(suite: &Suite, service: Component, api: &Api) -> Result<Status> {
    let admin_url = suite.services.get(&service).map(|it| it.admin_url.as_str());
    let url = format!("{}/admin/status", admin_url.unwrap_or_default());
    Ok(api.get(&url).await?)
}

/// Lists a product at a shop whose products are at the URL `products`.
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

/// Adds stock to a product, once for each key.
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
