//! Replicas die, hang and leave while orders run: all orders end, the audit holds, and no event
//! overtakes an earlier one of its order.

use std::{cell::Cell, env, time::Duration};

use contracts::Sku;
use futures::future::{join_all, join3};
use reqwest::Method;
use scenarios::{NewOrder, Replica, Signal, Visitor, services, until};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::emission;

/// Sets the number of orders; with thousands it takes minutes.
const ORDERS: (&str, usize) = ("QUINTET_TEST_REPLICAS_ORDERS", 300);
/// Sets for how many seconds some hang: longer than the relay's lease and Kafka's session.
const HANG: (&str, usize) = ("QUINTET_TEST_REPLICAS_HANG", 12);

fn setting((name, default): (&str, usize)) -> usize {
    let set = env::var(name).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

pub(crate) async fn some_die_and_some_hang(visitor: Visitor) {
    while_orders_run(&visitor, setting(ORDERS), async |visitor| {
        let mut hung = Vec::new();
        for service in services() {
            let (sends, other) = relay_and_other(visitor, service).await;
            let id = status(visitor, &sends).await.expect("it answers still")["replica"].clone();
            send(&other, Signal::KILL);
            send(&sends, Signal::STOP);
            hung.push((service, sends, id));
        }
        // How long they hang is what this is about, not a wait for something.
        sleep(Duration::from_secs(setting(HANG) as u64)).await;
        for (service, replica, id) in &hung {
            let holder = async || {
                let others = visitor.suite().replicas(service);
                let other = others.into_iter().find(|other| other.pid != replica.pid)?;
                Some(status(visitor, &other).await?["relay"].clone())
            };
            let holder = until("another replica answers", holder).await;
            assert_ne!(holder, *id, "{service}: the relay that hangs has its lease still");
        }
        for (_, replica, _) in hung {
            send(&replica, Signal::CONT);
        }
    })
    .await;
}

pub(crate) async fn each_is_restarted_in_turn(visitor: Visitor) {
    while_orders_run(&visitor, setting(ORDERS), async |visitor| {
        let suite = visitor.suite();
        for nth in 0..crate::REPLICAS {
            for service in services() {
                let old = suite.replicas(service)[nth].clone();
                // The supervisor starts it again.
                send(&old, Signal::TERM);
                let again = async || {
                    let new = suite.replicas(service)[nth].clone();
                    let other = new.pid.is_some() && new.pid != old.pid;
                    let ready = format!("{}/health/ready", new.url);
                    let answer = visitor.request(Method::GET, &ready).send();
                    (other && answer.await.ok()?.status().is_success()).then_some(())
                };
                until("the replica is back", again).await;
            }
        }
    })
    .await;
}

/// Places orders and changes a price all the time, has `trouble` come once some orders are under
/// way, and judges what came of it.
async fn while_orders_run(visitor: &Visitor, count: usize, trouble: impl AsyncFn(&Visitor)) {
    emission::record(visitor).await;
    let slow = json!({"latency_ms": 50});
    visitor.faults(json!({"payment": slow, "carrier": slow, "mail": slow})).await;
    let sku = visitor.product(10_000_000).await;
    let (placed, over) = (Cell::new(0), Cell::new(false));
    let place = async {
        let mut all = 0;
        // More of them, as long as there is trouble.
        while all < count || !over.get() {
            let chunk = mixed(&sku, 100);
            let before = all;
            all += visitor.place_all(chunk, |more| placed.set(before + more)).await.len();
        }
        all
    };
    let happen = async {
        until("orders are under way", async || (placed.get() >= 50).then_some(())).await;
        trouble(visitor).await;
        over.set(true);
    };
    let change = change_prices(visitor, &sku, &over);
    let (all, (), changes) = join3(place, happen, change).await;
    visitor.verdict().await;
    let snapshot = visitor.snapshot().await;
    assert_eq!(snapshot.orders.len(), all);
    let (events, repeats) = emission::first_occurrences_are_in_order(visitor).await;
    eprintln!("{all} orders, {changes} prices: {events} events in order, {repeats} repeats");
}

/// Orders of which most complete, some come to nothing in each way there is.
fn mixed(sku: &Sku, count: usize) -> Vec<NewOrder> {
    let order = || NewOrder::of(sku);
    let kind = |nth| match nth % 10 {
        0 => order().token("tok_declined"),
        1 => order().unreachable(),
        2 => order().token("tok_unknown"),
        3 => order().quantity(100_000_000),
        4 => order().bouncing(),
        _ => order().quantity(2),
    };
    (0..count).map(kind).collect()
}

/// Many events under one key: a price that changes by all replicas of inventory in turn.
async fn change_prices(visitor: &Visitor, sku: &Sku, over: &Cell<bool>) -> usize {
    let mut changes = 0;
    while !over.get() {
        let replicas = visitor.suite().replicas("inventory");
        let asked = replicas.iter().enumerate().map(|(nth, replica)| {
            let price = json!({"amount_minor": 1_000 + changes + nth, "currency": "EUR"});
            let url = format!("{}/products/{sku}", replica.url);
            let request = visitor.request(Method::PUT, &url);
            let request = request.json(&json!({"name": "Mug", "price": price}));
            request.timeout(Duration::from_secs(1)).send()
        });
        // Who is down or hangs does not answer; what he was asked for may be done all the same.
        changes += join_all(asked).await.into_iter().flatten().count();
    }
    changes
}

/// Sends its process a signal.
fn send(replica: &Replica, signal: Signal) {
    scenarios::signal(replica.pid.expect("it runs"), signal);
}

/// The replica whose relay sends, or the second one if none does now, and one of the others.
async fn relay_and_other(visitor: &Visitor, service: &str) -> (Replica, Replica) {
    let mut replicas = visitor.suite().replicas(service);
    let says = join_all(replicas.iter().map(|replica| status(visitor, replica))).await;
    let sends = says.iter().position(|it| {
        it.as_ref().is_some_and(|it| !it["relay"].is_null() && it["relay"] == it["replica"])
    });
    let sends = replicas.swap_remove(sends.unwrap_or(1));
    (sends, replicas.swap_remove(0))
}

async fn status(visitor: &Visitor, replica: &Replica) -> Option<Value> {
    let url = format!("{}/admin/status", replica.admin_url);
    let answer = visitor.request(Method::GET, &url).timeout(Duration::from_secs(10)).send();
    answer.await.ok()?.json().await.ok()
}
