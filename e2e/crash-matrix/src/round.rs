use anyhow::{Context, Result};
use clock::{SystemClock, SystemRandom, uuid_v7};
use contracts::{OrderId, Sku};
use crash::Armed;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{Cell, Reach, Story, operator, stage::Stage};

/// Customers who order at once.
const AT_ONCE: usize = 16;
/// Of the product that most orders are about.
const PLENTY: i64 = 100_000;
/// Of a product that is listed for one order.
pub(crate) const FEW: i64 = 5;
/// Those who hear what order says.
const OTHERS: [&str; 4] = ["inventory", "payment", "shipping", "notification"];

/// When order hears what the others say. Which of an order's last events ends it depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// All of it at once, when the others have done all that they can.
    Late,
    /// What shipping voids as it happens, all else at once.
    Half,
    /// As it happens.
    Live,
}

/// An order that tries to reach a cell.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) story: Story,
    /// In the customer's address.
    mark: String,
    /// What is ordered.
    pub(crate) sku: Sku,
    pub(crate) id: Option<OrderId>,
}

/// The orders that try to reach these cells.
pub(crate) fn guests<'a>(cells: &[&'a Cell]) -> Result<Vec<Guest<'a>>> {
    let common: Sku = format!("common-{}", unique()).parse()?;
    let mut guests = Vec::new();
    for &cell in cells {
        let Reach::By(story) = cell.reach else { continue };
        for _ in 0..cell.tries() {
            let mark = unique();
            let sku = if story == Story::Listed { mark.parse()? } else { common.clone() };
            guests.push(Guest { cell, story, mark, sku, id: None });
        }
    }
    Ok(guests)
}

/// Plays the guests' stories to their end, each with the deaths that it is armed with.
pub(crate) async fn play(stage: &Stage, guests: &mut [Guest<'_>], flow: Flow) -> Result<()> {
    arm(stage, guests)?;
    if guests.iter().any(|guest| guest.story.refused().is_some()) {
        operator::refuse(stage).await.context("having the providers refuse")?;
    }
    stage.stop(&["order", "inventory"]).await;
    stage.begin(&["order", "inventory"]);
    list(stage, guests).await.context("listing the products")?;
    // What inventory has not published yet, order could not sell.
    stage.until_quiet(&["inventory", "order"]).await?;
    stage.stop(&OTHERS).await;
    place(stage, guests).await.context("placing the orders")?;
    // Only now do the orders have names by which others can be told them.
    arm(stage, guests)?;
    stage.stop(&["order"]).await;
    stage.begin(&["order"]);
    for guest in guests.iter() {
        cancel(stage, guest).await.context("cancelling an order")?;
    }
    // What order keeps to itself, nobody could act on while it is down.
    stage
        .until("order has published all", &stage.status("order"), |it| it["outbox"]["depth"] == 0)
        .await?;
    if flow == Flow::Late {
        stage.stop(&["order"]).await;
    }
    void(stage, guests, flow).await?;
    stage.begin(&["inventory", "notification"]);
    if flow != Flow::Live {
        stage.until_quiet(&OTHERS).await?;
        stage.begin(&["order"]);
    }
    end(stage, guests).await
}

fn arm(stage: &Stage, guests: &[Guest<'_>]) -> Result<()> {
    let mut armed: Vec<Armed> = Vec::new();
    for guest in guests {
        let Cell { reaction, point, .. } = guest.cell;
        let name = guest.cell.name();
        // A product's own SKU is its mark.
        let marks = [Some(guest.mark.clone()), guest.id.map(|id| id.to_string())];
        let marks = marks.into_iter().flatten();
        match armed.iter_mut().find(|armed| armed.cell == name) {
            Some(armed) => armed.marks.extend(marks),
            None => armed.push(Armed {
                cell: name,
                service: reaction.service.to_owned(),
                input: reaction.input.clone(),
                point: *point,
                marks: marks.collect(),
            }),
        }
    }
    stage.arm(&armed)
}

/// Lists and stocks all products.
async fn list(stage: &Stage, guests: &[Guest<'_>]) -> Result<()> {
    let mut products: Vec<(&Sku, i64)> = guests
        .iter()
        .map(|guest| (&guest.sku, if guest.story == Story::Listed { FEW } else { PLENTY }))
        .collect();
    products.sort();
    products.dedup();
    let listed = stream::iter(products).map(|(sku, pieces)| async move {
        let path = format!("/products/{sku}");
        let product = json!({"name": "Mug", "price": {"amount_minor": 1298, "currency": "EUR"}});
        let put = || stage.request(Method::PUT, "inventory", &path).json(&product);
        stage.ask(put, &[StatusCode::OK, StatusCode::CREATED]).await?;
        let (path, key) = (format!("{path}/stock"), unique());
        let add = || {
            let request = stage.request(Method::POST, "inventory", &path);
            request.header("idempotency-key", &key).json(&json!({ "quantity": pieces }))
        };
        stage.ask(add, &[StatusCode::OK]).await.map(drop)
    });
    listed.buffer_unordered(AT_ONCE).try_collect().await
}

/// Places all orders; asks until order knows their products, and takes them.
async fn place(stage: &Stage, guests: &mut [Guest<'_>]) -> Result<()> {
    let placed = stream::iter(guests.iter_mut()).map(|guest| async move {
        let (order, key) = (guest.story.order(&guest.sku, &guest.mark), unique());
        let place = || {
            let request = stage.request(Method::POST, "order", "/orders").json(&order.0);
            request.header("idempotency-key", &key)
        };
        let answer = stage.ask(place, &[StatusCode::ACCEPTED]).await?;
        let id = answer.body["id"].as_str().context("an order has an id")?.parse()?;
        stage.accepted(id);
        guest.id = Some(id);
        anyhow::Ok(())
    });
    placed.buffer_unordered(AT_ONCE).try_collect().await
}

async fn cancel(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    if let (Story::Cancelled, Some(id)) = (guest.story, guest.id) {
        let path = format!("/orders/{id}/cancellation");
        let cancel = || stage.request(Method::POST, "order", &path).json(&json!({}));
        stage.ask(cancel, &[StatusCode::ACCEPTED]).await?;
    }
    Ok(())
}

/// Has shipping stop the parcels that it can still stop, then payment, before inventory lets it go on.
async fn void(stage: &Stage, guests: &[Guest<'_>], flow: Flow) -> Result<()> {
    let voided = || guests.iter().filter(|guest| guest.story.is_voided()).filter_map(|it| it.id);
    for guest in guests {
        let (Some(sign), Some(id)) = (guest.story.late(), guest.id) else { continue };
        let url = stage.url("order", &format!("/orders/{id}"));
        stage.until("the deadlines pass", &url, |order| order[sign] == true).await?;
    }
    stage.begin(&["shipping"]);
    for id in voided() {
        let url = stage.url("shipping", &format!("/shipments/{id}"));
        stage.until("the parcel is stopped", &url, |it| it["status"] == "voided").await?;
    }
    if flow == Flow::Half {
        stage.until_quiet(&["shipping"]).await?;
        for id in voided() {
            let url = stage.url("order", &format!("/orders/{id}"));
            stage.until("it is cancelling", &url, |it| it["status"] == "cancelling").await?;
        }
        stage.stop(&["order"]).await;
    }
    stage.begin(&["payment"]);
    for id in voided() {
        let url = stage.url("payment", &format!("/payments/{id}"));
        stage.until("the payment is voided", &url, |it| it["status"] == "voided").await?;
    }
    Ok(())
}

/// Waits until all orders have ended; an operator sees to what is held, and retries what was refused.
async fn end(stage: &Stage, guests: &[Guest<'_>]) -> Result<()> {
    if guests.iter().any(|guest| guest.story.refused().is_some()) {
        operator::operate(stage, guests).await?;
    }
    for guest in guests.iter().filter(|guest| guest.story == Story::RefundRefused) {
        let Some(id) = guest.id else { continue };
        let url = stage.url("payment", &format!("/payments/{id}"));
        stage.until("the refund is refused", &url, |it| it["status"] == "attention").await?;
        let path = format!("/admin/payments/{id}/refund");
        let retry = || stage.admin(Method::POST, "payment", &path);
        stage.ask(retry, &[StatusCode::ACCEPTED, StatusCode::CONFLICT]).await?;
    }
    for id in guests.iter().filter_map(|guest| guest.id) {
        let url = stage.url("order", &format!("/orders/{id}"));
        let ended = |order: &serde_json::Value| {
            matches!(order["status"].as_str(), Some("completed" | "cancelled"))
        };
        stage.until("the order ends", &url, ended).await?;
    }
    Ok(())
}

fn unique() -> String {
    uuid_v7(&SystemClock, &SystemRandom).simple().to_string()
}
