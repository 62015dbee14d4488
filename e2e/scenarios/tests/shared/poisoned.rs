//! Providers fail some requests and serve others. The suite has short pauses between attempts.

use contracts::OrderId;
use scenarios::{NewOrder, OrderView, Visitor, until};
use serde_json::{Value, json};

/// The number of failing requests: more than a service attempts at a time.
const POISONED: usize = 100;
/// The number of good orders beside them.
const GOOD: usize = 20;

/// Places orders whose requests a provider fails, and good ones beside them. Asserts that the good ones complete, and returns
/// the poisoned ones.
async fn assert_good_orders_complete(
    visitor: &Visitor,
    faults: Value,
    poisoned: impl Fn(NewOrder) -> NewOrder,
) -> Vec<OrderId> {
    let sku = visitor.product(200).await;
    visitor.faults(faults).await;
    let order = |_| poisoned(NewOrder::of(&sku));
    let poisoned = visitor.place_all((0..POISONED).map(order).collect(), |_| {}).await;
    let good = (0..GOOD).map(|_| NewOrder::of(&sku)).collect();
    for order in visitor.place_all(good, |_| {}).await {
        visitor.until_ended(order, "completed").await;
    }
    poisoned
}

/// Waits until a service holds this many requests, and returns them.
async fn held(visitor: &Visitor, service: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} requests of {service} are held"), async || {
        let arguments = ["effects", "list", "--service", service];
        let (code, lines) = visitor.suite().run_quintet(&arguments).await;
        assert_eq!(code, Some(0));
        let held = lines[0][service].as_array().expect("a list").clone();
        (held.len() == count).then_some(held)
    })
    .await
}

pub(crate) async fn charges_that_are_refused_as_malformed(visitor: Visitor) {
    let refuse = json!({"payment": {"poison": "refuse"}});
    let poisoned =
        assert_good_orders_complete(&visitor, refuse, |order| order.token("tok_poisoned")).await;
    let held = held(&visitor, "payment", POISONED).await;
    let first = &held[0];
    assert_eq!(first["request"]["token"], "hidden", "{first}");
    assert!(first["last_error"].as_str().is_some_and(|why| why.starts_with("400")), "{first}");

    let (id, order) = (first["id"].as_str().expect("an id"), first["order_id"].clone());
    let (code, lines) = visitor.suite().run_quintet(&["effects", "show", id]).await;
    assert_eq!((code, &lines[0]["service"]), (Some(0), &"payment".into()), "{lines:?}");

    // An operator resolves one request. The others succeed once the provider serves them.
    let arguments = ["effects", "resolve", id, "--outcome", "never_arrived"];
    let (code, lines) = visitor.suite().run_quintet(&arguments).await;
    assert_eq!(code, Some(0), "{lines:?}");
    let resolved: OrderId = serde_json::from_value(order).expect("an order");
    visitor.until_ended(resolved, "cancelled").await;
    visitor.faults(json!({})).await;
    let (code, lines) = visitor.suite().run_quintet(&["effects", "retry", "--all"]).await;
    assert_eq!(code, Some(0), "{lines:?}");
    for order in poisoned.into_iter().filter(|order| *order != resolved) {
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
}

pub(crate) async fn charges_that_are_never_answered(visitor: Visitor) {
    let hang = json!({"payment": {"poison": "hang"}});
    let poisoned =
        assert_good_orders_complete(&visitor, hang, |order| order.token("tok_poisoned")).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
}

pub(crate) async fn bookings_that_are_answered_503(visitor: Visitor) {
    let unavailable = json!({"carrier": {"poison": "unavailable"}});
    let poison = |order: NewOrder| order.with("/shipping_address/postal_code", "66666");
    let poisoned = assert_good_orders_complete(&visitor, unavailable, poison).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
}

pub(crate) async fn mails_that_are_answered_450(visitor: Visitor) {
    let unavailable = json!({"mail": {"poison": "unavailable"}});
    let poison = |order: NewOrder| order.with("/customer/email", "ada@poisoned.example");
    let poisoned = assert_good_orders_complete(&visitor, unavailable, poison).await;
    let mails_are_sent = |view: &OrderView| view.count("NotificationSent") == 2;
    let sku = visitor.product(1).await;
    let good = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(good, "notified twice", mails_are_sent).await;
    visitor.faults(json!({})).await;
    for order in poisoned {
        visitor.until(order, "notified twice", mails_are_sent).await;
    }
    visitor.assert_sound().await;
}
