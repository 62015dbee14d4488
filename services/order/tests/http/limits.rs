//! Many requests at once, and more than the service can take.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use quintet::engine::Settings;
use reqwest::StatusCode;
use serde_json::Value;
use testkit::{MemoryBus, eventually};
use tokio::task::JoinSet;

use crate::rig::{Rig, order, problem, rejected, rigs};

#[tokio::test]
async fn fifty_requests_under_one_key_place_one_order() {
    for rig in rigs().await {
        let place = async || {
            let request = rig.http.post(format!("{}/orders", rig.url)).json(&order());
            let answer = request.header("idempotency-key", "fifty").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::ACCEPTED);
            let location = answer.headers()["location"].to_str().unwrap().to_owned();
            (location, answer.text().await.unwrap())
        };
        let answers = join_all((0..50).map(|_| place())).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let all = rig.get("/orders").await.json::<Value>().await.unwrap();
        assert_eq!(all["orders"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn commands_beyond_the_queue_are_refused_and_the_others_are_carried_out() {
    let settings = Settings { commands_queue: 3, ..Settings::default() };
    let rig = Rig::waiting(None, settings).await;
    let mut sent = JoinSet::new();
    for _ in 0..10 {
        sent.spawn(rig.http.post(format!("{}/orders", rig.url)).json(&order()).send());
    }
    // The engine does not run yet, so that the only answers are refusals.
    for _ in 0..7 {
        let refused = sent.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(problem(refused).await.0, 429);
    }
    let rig = rig.run();
    while let Some(answer) = sent.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        let order_id = id.parse().unwrap();
        rig.hears(&id, rejected(order_id)).await;
    }
    let ended = rig.get("/orders?status=cancelled").await.json::<Value>().await.unwrap();
    assert_eq!(ended["orders"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_full_outbox_refuses_orders_until_the_broker_is_back() {
    let bus = MemoryBus::default();
    bus.set_away(true);
    let relay_poll = Duration::from_millis(10);
    let settings = Settings { outbox_limit: 2, relay_poll, ..Settings::default() };
    let rig = Rig::waiting(Some(Arc::new(bus.clone())), settings).await.run();
    rig.place().await;
    rig.place().await;
    let refused = eventually("the outbox to be full", async || {
        let answer = rig.post(&order()).await;
        (answer.status() != StatusCode::ACCEPTED).then_some(answer)
    })
    .await;
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(problem(refused).await.0, 503);
    // The service stays ready, because readiness depends on the database alone.
    assert_eq!(rig.get("/health/ready").await.status(), StatusCode::OK);
    bus.set_away(false);
    eventually("orders to be taken again", async || {
        (rig.post(&order()).await.status() == StatusCode::ACCEPTED).then_some(())
    })
    .await;
}

#[tokio::test]
async fn readiness_has_a_connection_of_its_own() {
    for rig in rigs().await {
        // A database in memory has a single connection.
        if rig.in_memory() {
            continue;
        }
        let held = rig.db.hold_readers().await.unwrap();
        let ready = rig.get("/health/ready").await;
        assert_eq!(ready.status(), StatusCode::OK);
        drop(held);
    }
}

#[tokio::test]
async fn at_most_four_listings_read_the_database_at_once() {
    for rig in rigs().await {
        if rig.in_memory() {
            continue;
        }
        rig.place().await;
        let held = rig.db.hold_readers().await.unwrap();
        let list = || rig.http.get(format!("{}/orders", rig.url)).send();
        let mut listed = FuturesUnordered::new();
        listed.extend((0..10).map(|_| list()));
        // Four listings wait for a connection. The six others are refused after a second with `Retry-After: 1`. On
        // a very busy machine some of the four give up earlier than some of the six.
        let mut refused = 0;
        for _ in 0..6 {
            let answer = listed.next().await.unwrap().unwrap();
            refused +=
                usize::from(answer.headers().get("retry-after").is_some_and(|after| after == "1"));
            assert_eq!(problem(answer).await.0, 503);
        }
        assert!(refused > 0, "more than four wait for a connection");
        drop(held);
        while let Some(answer) = listed.next().await {
            let answer = answer.unwrap();
            assert_eq!(answer.headers()["content-type"], "application/json");
            let listed = answer.json::<Value>().await.unwrap();
            assert_eq!(listed["orders"].as_array().unwrap().len(), 1);
        }
    }
}
