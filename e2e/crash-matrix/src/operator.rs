//! The operator, who retries or resolves requests that are held. The service that gets a request of the operator may
//! die of it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use contracts::OrderId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Story,
    round::Guest,
    stage::{PATIENCE, POLL, Stage},
    story::Request,
};

/// Those that ask the outside world.
const ASKING: [&str; 3] = ["payment", "shipping", "notification"];
/// So many mails belong to an order.
const MAILS: usize = 2;

/// Has the providers refuse what is to be held. The mail server does not refuse for good.
pub(crate) async fn refuse(stage: &Stage) -> Result<()> {
    let refuses = json!({ "poison": "refuse" });
    let plan =
        json!({ "payment": refuses, "carrier": refuses, "mail": { "poison": "unavailable" } });
    faults(stage, &plan).await
}

/// Waits until every guest's request is held, and resolves those that are to be resolved. Then the providers take
/// the others, which the operator has attempted again.
pub(crate) async fn operate(stage: &Stage, guests: &[Guest<'_>]) -> Result<()> {
    let of = |so: fn(Story) -> bool| -> BTreeSet<OrderId> {
        guests.iter().filter(|guest| so(guest.story)).filter_map(|guest| guest.id).collect()
    };
    let held = of(|story| matches!(story, Story::Held(_)));
    let resolved = of(|story| matches!(story, Story::Resolved(_)));
    let (give_up, mut seen) = (Instant::now() + PATIENCE, BTreeSet::new());
    while !(seen.is_superset(&held) && are_through(stage, guests, &resolved).await?) {
        for service in ASKING {
            for effect in held_at(stage, service).await? {
                let order: OrderId = text(&effect, "order_id")?.parse()?;
                seen.insert(order);
                if resolved.contains(&order) && effect["resolution"].is_null() {
                    resolve(stage, service, text(&effect, "id")?).await?;
                }
            }
        }
        ensure!(Instant::now() < give_up, "the requests are not held and resolved");
        sleep(POLL * 4).await;
    }
    faults(stage, &json!({})).await?;
    while !are_through(stage, guests, &held).await? {
        for service in ASKING {
            let retry = || stage.admin(Method::POST, service, "/admin/effects/retry");
            stage.ask(retry, &[StatusCode::ACCEPTED]).await?;
        }
        ensure!(Instant::now() < give_up, "the held requests are not answered");
        sleep(POLL * 4).await;
    }
    Ok(())
}

async fn faults(stage: &Stage, plan: &Value) -> Result<()> {
    let put = || stage.request(Method::PUT, "sandbox", "/faults").json(plan);
    stage.ask(put, &[StatusCode::OK]).await.map(drop)
}

async fn held_at(stage: &Stage, service: &str) -> Result<Vec<Value>> {
    let list = || stage.admin(Method::GET, service, "/admin/effects?held=true&limit=1000");
    let answer = stage.ask(list, &[StatusCode::OK]).await?;
    Ok(answer.body["effects"].as_array().context("a list of requests")?.clone())
}

/// Reports that the request never arrived. An earlier report, whose answer was lost, may have resolved it.
async fn resolve(stage: &Stage, service: &str, effect: &str) -> Result<()> {
    let path = format!("/admin/effects/{effect}/resolve");
    let found = json!({ "outcome": "never_arrived" });
    let resolve = || stage.admin(Method::POST, service, &path).json(&found);
    stage.ask(resolve, &[StatusCode::ACCEPTED, StatusCode::NOT_FOUND]).await.map(drop)
}

/// Whether nothing is to be held of these orders any more.
async fn are_through(
    stage: &Stage,
    guests: &[Guest<'_>],
    orders: &BTreeSet<OrderId>,
) -> Result<bool> {
    for guest in guests {
        let Some(id) = guest.id.filter(|id| orders.contains(id)) else { continue };
        let read = || stage.request(Method::GET, "order", &format!("/orders/{id}"));
        let order = stage.ask(read, &[StatusCode::OK]).await?.body;
        let ended = matches!(order["status"].as_str(), Some("completed" | "cancelled"));
        let timeline = order["timeline"].as_array().context("an order has a timeline")?;
        let mail = |event: &&Value| {
            event["event"].as_str().is_some_and(|name| name.starts_with("Notification"))
        };
        let mails = timeline.iter().filter(mail).count();
        let wanted = if guest.story.refused() == Some(Request::Mail) { MAILS } else { 0 };
        if !ended || mails < wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text<'a>(effect: &'a Value, field: &str) -> Result<&'a str> {
    effect[field].as_str().with_context(|| format!("a request has {field}"))
}
