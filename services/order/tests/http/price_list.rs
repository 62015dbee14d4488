//! Orders of unknown products: ones that do not exist, and ones that this service has not read yet.

use std::sync::Arc;

use quintet::{bus::PartitionState, engine::Settings};
use reqwest::StatusCode;
use serde_json::json;
use testkit::{MemoryBus, eventually};

use crate::rig::{PRODUCTS, Rig, problem, with};

/// The products topic with this many records, of which the order service has read two.
fn products(high: i64) -> Vec<PartitionState> {
    let topic = |name: &str, high| PartitionState {
        topic: name.to_owned(),
        partition: 0,
        low: 0,
        high,
        committed: Some(2),
    };
    vec![topic("products", high), topic("payments", 9)]
}

#[tokio::test]
async fn an_unknown_product_is_refused_once_all_products_have_been_read() {
    let bus = MemoryBus::default();
    bus.set_partitions(products(3));
    let rig = Rig::waiting(Some(Arc::new(bus.clone())), Settings::default()).await.run();
    let unknown = with("/items/0/sku", "unheard-of");
    let later = rig.post(&unknown).await;
    assert_eq!(later.headers()["retry-after"], "1");
    assert_eq!(problem(later).await.0, 503);
    // Orders of known products are taken all the same.
    rig.place().await;

    bus.set_partitions(products(2));
    let refused = eventually("the products to be read", async || {
        let answer = rig.post(&unknown).await;
        (answer.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await;
    let (status, problem, named) = problem(refused).await;
    assert_eq!((status, named), (422, vec!["/items/0/sku".to_owned()]));
    assert!(problem["detail"].as_str().unwrap().contains(PRODUCTS), "{problem}");
}

#[tokio::test]
async fn setting_the_wall_clock_does_not_make_the_service_ask_the_broker_again() {
    let bus = MemoryBus::default();
    bus.set_partitions(products(3));
    let rig = Rig::rushing(Arc::new(bus.clone())).await.run();
    let unknown = with("/items/0/sku", "unheard-of");
    for high in [3, 2] {
        bus.set_partitions(products(high));
        assert_eq!(problem(rig.post(&unknown).await).await.0, 503, "no time has passed");
    }
}

#[tokio::test]
async fn an_order_is_put_off_while_it_is_unknown_whether_its_product_exists() {
    let bus = MemoryBus::default();
    let rig = Rig::waiting(Some(Arc::new(bus.clone())), Settings::default()).await.run();
    bus.set_away(true);
    let unknown = with("/items/0/sku", "unheard-of");
    assert_eq!(problem(rig.post(&unknown).await).await.0, 503);

    bus.set_away(false);
    let mut tx = rig.db.begin().await.unwrap();
    tx.execute("delete from product", Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(problem(rig.post(&unknown).await).await.0, 503, "no product is listed at all");
}

/// Fields are checked first. Only if all of them are valid are the products looked up.
#[tokio::test]
async fn every_line_that_cannot_be_taken_is_named() {
    let rig = Rig::running().await;
    let line = |sku: &str, quantity: i64| json!({ "sku": sku, "quantity": quantity });
    let unknown = with("/items", json!([line("mug", 1), line("nope", 1), line("nope2", 102)]));
    let refused = eventually("order to have read all products", async || {
        let answer = rig.post(&unknown).await;
        (answer.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    });
    let (status, refusal, named) = problem(refused.await).await;
    let expected = ["/items/1/sku", "/items/2/sku"].map(ToOwned::to_owned);
    assert_eq!((status, named), (422, expected.to_vec()), "{refusal}");
    let many = json!([line("mug", 1001), line("nope", 1), line("nope2", 0)]);
    let (status, refusal, named) = problem(rig.post(&with("/items", many)).await).await;
    let expected = ["/items/0/quantity", "/items/2/quantity"].map(ToOwned::to_owned);
    assert_eq!((status, named), (422, expected.to_vec()), "{refusal}");
    for wrong in refusal["errors"].as_array().unwrap() {
        assert_eq!(wrong["detail"], "must be a whole number, 1 to 1000");
    }
}
