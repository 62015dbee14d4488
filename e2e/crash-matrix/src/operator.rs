//! The operator, who retries or resolves held requests. A service may die while it handles a request of the operator, so those
//! are repeated too.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use contracts::OrderId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Course,
    course::Request,
    crash_suite::{CrashSuite, PATIENCE, POLL},
    round::CellOrder,
};

/// The services that send requests to providers.
const REQUESTING: [&str; 3] = ["payment", "shipping", "notification"];
/// The number of an order's mails.
const MAILS: usize = 2;

/// Lets the providers refuse poisoned requests, so that the services hold them. The mail server only puts them off, because
/// a mail that it refused would fail and not be held.
pub(crate) async fn refuse_poisoned(suite: &CrashSuite) -> Result<()> {
    let refuses = json!({ "poison": "refuse" });
    let faults =
        json!({ "payment": refuses, "carrier": refuses, "mail": { "poison": "unavailable" } });
    put_faults(suite, &faults).await
}

/// Waits until the request of every order is held, and resolves the requests of orders whose course says so. Then lets the
/// providers serve the others, and retries them.
pub(crate) async fn operate(suite: &CrashSuite, orders: &[CellOrder<'_>]) -> Result<()> {
    let ids = |matches: fn(Course) -> bool| -> BTreeSet<OrderId> {
        let matching = orders.iter().filter(|order| matches(order.course));
        matching.filter_map(|order| order.id).collect()
    };
    let to_hold = ids(|course| matches!(course, Course::Held(_)));
    let to_resolve = ids(|course| matches!(course, Course::Resolved(_)));
    let (give_up, mut held) = (Instant::now() + PATIENCE, BTreeSet::new());
    while !(held.is_superset(&to_hold) && are_settled(suite, orders, &to_resolve).await?) {
        for service in REQUESTING {
            for effect in held_effects(suite, service).await? {
                let order: OrderId = text(&effect, "order_id")?.parse()?;
                held.insert(order);
                if to_resolve.contains(&order) && effect["resolution"].is_null() {
                    resolve(suite, service, text(&effect, "id")?).await?;
                }
            }
        }
        ensure!(Instant::now() < give_up, "not all requests are held and resolved in {PATIENCE:?}");
        sleep(POLL * 4).await;
    }
    put_faults(suite, &json!({})).await?;
    while !are_settled(suite, orders, &to_hold).await? {
        for service in REQUESTING {
            let retry = || suite.admin(Method::POST, service, "/admin/effects/retry");
            suite.ask(retry, &[StatusCode::ACCEPTED]).await?;
        }
        ensure!(Instant::now() < give_up, "not all held requests are answered in {PATIENCE:?}");
        sleep(POLL * 4).await;
    }
    Ok(())
}

async fn put_faults(suite: &CrashSuite, faults: &Value) -> Result<()> {
    let put = || suite.request(Method::PUT, "sandbox", "/faults").json(faults);
    suite.ask(put, &[StatusCode::OK]).await.map(drop)
}

async fn held_effects(suite: &CrashSuite, service: &str) -> Result<Vec<Value>> {
    let list = || suite.admin(Method::GET, service, "/admin/effects?held=true&limit=1000");
    let answer = suite.ask(list, &[StatusCode::OK]).await?;
    Ok(answer.body["effects"].as_array().context("a list of requests")?.clone())
}

/// Reports that the request never arrived. The answer is 404 if an earlier report, whose answer was lost, has resolved the
/// request already.
async fn resolve(suite: &CrashSuite, service: &str, effect: &str) -> Result<()> {
    let path = format!("/admin/effects/{effect}/resolve");
    let outcome = json!({ "outcome": "never_arrived" });
    let resolve = || suite.admin(Method::POST, service, &path).json(&outcome);
    suite.ask(resolve, &[StatusCode::ACCEPTED, StatusCode::NOT_FOUND]).await.map(drop)
}

/// Whether these orders have ended. Those whose mails are held must have their mails too.
async fn are_settled(
    suite: &CrashSuite,
    orders: &[CellOrder<'_>],
    ids: &BTreeSet<OrderId>,
) -> Result<bool> {
    for order in orders {
        let Some(id) = order.id.filter(|id| ids.contains(id)) else { continue };
        let read = || suite.request(Method::GET, "order", &format!("/orders/{id}"));
        let view = suite.ask(read, &[StatusCode::OK]).await?.body;
        let ended = matches!(view["status"].as_str(), Some("completed" | "cancelled"));
        let timeline = view["timeline"].as_array().context("an order has a timeline")?;
        let is_mail = |event: &&Value| {
            event["event"].as_str().is_some_and(|name| name.starts_with("Notification"))
        };
        let mails = timeline.iter().filter(is_mail).count();
        let expected = if order.course.refused() == Some(Request::Mail) { MAILS } else { 0 };
        if !ended || mails < expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text<'a>(effect: &'a Value, field: &str) -> Result<&'a str> {
    effect[field].as_str().with_context(|| format!("a held request has no text in {field}"))
}
