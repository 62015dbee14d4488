//! Replicas die, hang and restart while orders run. All orders end, the audit holds, and no event overtakes an earlier one of
//! its order.

use std::{cell::Cell, env, time::Duration};

use contracts::Sku;
use futures::future::{join_all, join3};
use reqwest::Method;
use scenarios::{NewOrder, Replica, Signal, Visitor, services, until};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::emission;

/// A number that an environment variable overrides.
struct Setting {
    variable: &'static str,
    default: usize,
}

/// The number of orders. A run with thousands takes minutes.
const ORDERS: Setting = Setting { variable: "QUINTET_TEST_REPLICAS_ORDERS", default: 300 };
/// How many seconds replicas hang: longer than the relay's lease and Kafka's session.
const HANG: Setting = Setting { variable: "QUINTET_TEST_REPLICAS_HANG", default: 12 };

impl Setting {
    fn value(&self) -> usize {
        let Self { variable, default } = *self;
        let text = env::var(variable).ok();
        text.map_or(default, |text| {
            text.parse().unwrap_or_else(|_| panic!("{variable}={text}: write a whole number"))
        })
    }
}

/// A replica that is stopped by SIGSTOP.
struct Hanging {
    service: &'static str,
    replica: Replica,
    /// Its id in `/admin/status`.
    id: Value,
}

pub(crate) async fn some_replicas_die_and_some_hang(visitor: Visitor) {
    while_orders_run(&visitor, ORDERS.value(), async |visitor| {
        let mut hanging = Vec::new();
        for service in services() {
            let (sending, other) = sending_and_other(visitor, service).await;
            let status = status(visitor, &sending).await.expect("an answer before the stop");
            send(&other, Signal::KILL);
            send(&sending, Signal::STOP);
            hanging.push(Hanging { service, replica: sending, id: status["replica"].clone() });
        }
        // This test is about the length of the hang, so it sleeps and waits for no condition.
        sleep(Duration::from_secs(HANG.value() as u64)).await;
        for Hanging { service, replica, id } in &hanging {
            let lease_holder = async || {
                let replicas = visitor.suite().replicas(service);
                let other = replicas.into_iter().find(|other| other.pid != replica.pid)?;
                Some(status(visitor, &other).await?["relay"].clone())
            };
            let lease_holder = until("another replica answers", lease_holder).await;
            assert_ne!(lease_holder, *id, "{service}: the hanging relay still holds the lease");
        }
        for Hanging { replica, .. } in hanging {
            send(&replica, Signal::CONT);
        }
    })
    .await;
}

pub(crate) async fn each_replica_is_restarted_in_turn(visitor: Visitor) {
    while_orders_run(&visitor, ORDERS.value(), async |visitor| {
        let suite = visitor.suite();
        for nth in 0..crate::REPLICAS {
            for service in services() {
                let old = suite.replicas(service)[nth].clone();
                // The supervisor restarts a process that ends by itself.
                send(&old, Signal::TERM);
                let is_back = async || {
                    let new = suite.replicas(service)[nth].clone();
                    let restarted = new.pid.is_some() && new.pid != old.pid;
                    let ready = format!("{}/health/ready", new.url);
                    let answer = visitor.request(Method::GET, &ready).send();
                    (restarted && answer.await.ok()?.status().is_success()).then_some(())
                };
                until("the replica is ready again", is_back).await;
            }
        }
    })
    .await;
}

/// Places orders and changes a price all the time, runs `faults` once some orders are under way, and checks the suite
/// afterwards.
async fn while_orders_run(visitor: &Visitor, count: usize, faults: impl AsyncFn(&Visitor)) {
    emission::record(visitor).await;
    let slow = json!({"latency_ms": 50});
    visitor.faults(json!({"payment": slow, "carrier": slow, "mail": slow})).await;
    let sku = visitor.product(10_000_000).await;
    let (placed, faults_are_over) = (Cell::new(0), Cell::new(false));
    let place = async {
        let mut total = 0;
        // Orders keep arriving until the faults are over.
        while total < count || !faults_are_over.get() {
            let chunk = NewOrder::mixed(&sku, 100, 100_000_000);
            let before = total;
            total += visitor.place_all(chunk, |more| placed.set(before + more)).await.len();
        }
        total
    };
    let inject = async {
        until("orders are under way", async || (placed.get() >= 50).then_some(())).await;
        faults(visitor).await;
        faults_are_over.set(true);
    };
    let change = change_prices(visitor, &sku, &faults_are_over);
    let (orders, (), changes) = join3(place, inject, change).await;
    visitor.assert_sound().await;
    let snapshot = visitor.snapshot().await;
    assert_eq!(snapshot.orders.len(), orders);
    let (events, repeats) = emission::assert_published_in_order(visitor).await;
    eprintln!("{orders} orders, {changes} prices: {events} events in order, {repeats} repeats");
}

/// Changes a price at all replicas of inventory until the faults are over, which makes many events under one key. Returns the
/// number of changes.
async fn change_prices(visitor: &Visitor, sku: &Sku, faults_are_over: &Cell<bool>) -> usize {
    let mut changes = 0;
    while !faults_are_over.get() {
        let replicas = visitor.suite().replicas("inventory");
        let requests = replicas.iter().enumerate().map(|(nth, replica)| {
            let price = json!({"amount_minor": 1_000 + changes + nth, "currency": "EUR"});
            let url = format!("{}/products/{sku}", replica.url);
            let request = visitor.request(Method::PUT, &url);
            let request = request.json(&json!({"name": "Mug", "price": price}));
            request.timeout(Duration::from_secs(1)).send()
        });
        // A replica that is down or hangs does not answer. It may carry out the request all the same, which is not counted.
        changes += join_all(requests).await.into_iter().flatten().count();
    }
    changes
}

/// Sends a signal to the process of a replica.
fn send(replica: &Replica, signal: Signal) {
    scenarios::signal(replica.pid.expect("a running replica"), signal);
}

/// The replica whose relay holds the lease, or the second one if none does, and one of the others.
async fn sending_and_other(visitor: &Visitor, service: &str) -> (Replica, Replica) {
    let mut replicas = visitor.suite().replicas(service);
    let statuses = join_all(replicas.iter().map(|replica| status(visitor, replica))).await;
    let holds_lease =
        |status: &Value| !status["relay"].is_null() && status["relay"] == status["replica"];
    let sending = statuses.iter().position(|status| status.as_ref().is_some_and(holds_lease));
    let sending = replicas.swap_remove(sending.unwrap_or(1));
    (sending, replicas.swap_remove(0))
}

async fn status(visitor: &Visitor, replica: &Replica) -> Option<Value> {
    let url = format!("{}/admin/status", replica.admin_url);
    let answer = visitor.request(Method::GET, &url).timeout(Duration::from_secs(10)).send();
    answer.await.ok()?.json().await.ok()
}
