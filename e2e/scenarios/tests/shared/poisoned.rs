//! Requests that providers fail, beside requests that they serve, on a suite with short pauses.

use contracts::OrderId;
use scenarios::{NewOrder, Visitor, until};
use serde_json::{Value, json};

/// Requests that fail at a time: more than a service attempts at once.
const POISONED: usize = 100;
/// Orders beside them.
const GOOD: usize = 20;

/// Places orders that a provider fails in this way, and good ones beside them, which complete. Returns the
/// poisoned ones.
async fn good_orders_complete(
    visitor: &Visitor,
    plan: Value,
    poisoned: impl Fn(NewOrder) -> NewOrder,
) -> Vec<OrderId> {
    let sku = visitor.product(200).await;
    visitor.faults(plan).await;
    let order = |_| poisoned(NewOrder::of(&sku));
    let poisoned = visitor.place_all((0..POISONED).map(order).collect(), |_| {}).await;
    let good = (0..GOOD).map(|_| NewOrder::of(&sku)).collect();
    for order in visitor.place_all(good, |_| {}).await {
        visitor.until_ended(order, "completed").await;
    }
    poisoned
}

/// The requests that are held, once there are so many.
async fn held(visitor: &Visitor, service: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} requests of {service} are held"), async || {
        let (code, said) = visitor.suite().ask(&["effects", "list", "--service", service]).await;
        assert_eq!(code, Some(0));
        let held = said[0][service].as_array().expect("a list").clone();
        (held.len() == count).then_some(held)
    })
    .await
}

pub(crate) async fn charges_that_are_refused_as_malformed(visitor: Visitor) {
    let refuse = json!({"payment": {"poison": "refuse"}});
    let poisoned =
        good_orders_complete(&visitor, refuse, |order| order.token("tok_poisoned")).await;
    let held = held(&visitor, "payment", POISONED).await;
    let first = &held[0];
    assert_eq!(first["request"]["token"], "hidden", "{first}");
    assert!(first["last_error"].as_str().is_some_and(|why| why.starts_with("400")), "{first}");

    let (code, said) =
        visitor.suite().ask(&["effects", "show", first["id"].as_str().expect("an id")]).await;
    assert_eq!((code, &said[0]["service"]), (Some(0), &"payment".into()), "{said:?}");

    // One is settled by an operator; the others are carried out once the provider takes them.
    let (id, order) = (first["id"].as_str().expect("an id"), first["order_id"].clone());
    let arguments = ["effects", "resolve", id, "--outcome", "never_arrived"];
    let (code, said) = visitor.suite().ask(&arguments).await;
    assert_eq!(code, Some(0), "{said:?}");
    let resolved: OrderId = serde_json::from_value(order).expect("an order");
    visitor.until_ended(resolved, "cancelled").await;
    visitor.faults(json!({})).await;
    let (code, said) = visitor.suite().ask(&["effects", "retry", "--all"]).await;
    assert_eq!(code, Some(0), "{said:?}");
    for order in poisoned.into_iter().filter(|order| *order != resolved) {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
}

pub(crate) async fn charges_that_are_never_answered(visitor: Visitor) {
    let hang = json!({"payment": {"poison": "hang"}});
    let poisoned = good_orders_complete(&visitor, hang, |order| order.token("tok_poisoned")).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
}

pub(crate) async fn bookings_that_are_answered_503(visitor: Visitor) {
    let unavailable = json!({"carrier": {"poison": "unavailable"}});
    let far = |order: NewOrder| order.with("/shipping_address/postal_code", "66666");
    let poisoned = good_orders_complete(&visitor, unavailable, far).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
}

pub(crate) async fn mails_that_are_put_off_by_their_server(visitor: Visitor) {
    let unavailable = json!({"mail": {"poison": "unavailable"}});
    let to = |order: NewOrder| order.with("/customer/email", "ada@poisoned.example");
    let poisoned = good_orders_complete(&visitor, unavailable, to).await;
    let sku = visitor.product(1).await;
    let good = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(good, "its mails are sent", |it| it.count("NotificationSent") == 2).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until(order, "its mails are sent", |it| it.count("NotificationSent") == 2).await;
    }
    visitor.verdict().await;
}
