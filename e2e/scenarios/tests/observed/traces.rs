//! The traces of orders.

use clock::{SystemClock, SystemRandom, uuid_v7};
use std::collections::{BTreeMap, BTreeSet};

use contracts::OrderId;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use scenarios::{NewOrder, Visitor, until};
use serde_json::{Value, json};

use crate::{
    collector::{linked, spans},
    trace::{Span, assert_parents, assert_types, titles},
};

/// The titles of all spans of a completed order.
const COMPLETED: &str = "
    order: POST /orders
    order: command
    order: create orders OrderPlaced
    inventory: process orders OrderPlaced
    inventory: create inventory StockReserved
    order: process inventory StockReserved
    payment: process orders OrderPlaced
    payment: process inventory StockReserved
    payment: charge
    payment: POST
    payment: outcome
    payment: create payments PaymentCaptured
    order: process payments PaymentCaptured
    shipping: process orders OrderPlaced
    shipping: process payments PaymentCaptured
    shipping: book
    shipping: POST
    shipping: outcome
    shipping: create shipping ShipmentDispatched
    order: process shipping ShipmentDispatched
    inventory: process shipping ShipmentDispatched
    order: create orders OrderCompleted
    notification: process orders OrderPlaced
    notification: process orders OrderCompleted
    notification: mail
    notification: mail
    notification: outcome
    notification: outcome
    notification: create notifications NotificationSent
    notification: create notifications NotificationSent
    order: process notifications NotificationSent
    order: process notifications NotificationSent
";

fn completed() -> BTreeMap<String, usize> {
    let mut titles = BTreeMap::new();
    for title in COMPLETED.lines().map(str::trim).filter(|title| !title.is_empty()) {
        *titles.entry(title.to_owned()).or_default() += 1;
    }
    titles
}

async fn trace_id(visitor: &Visitor, order: OrderId) -> String {
    let url = format!("{}/orders/{order}", visitor.suite().up_json_text("/order/url"));
    let order: Value = visitor.get(&url).await;
    order["trace_id"].as_str().expect("an order shows its trace").to_owned()
}

/// Waits until the collector's spans of a trace meet a condition, which `description` names.
async fn collected(
    trace_id: &str,
    description: &str,
    condition: impl Fn(&[Span]) -> bool,
) -> Vec<Span> {
    until(description, async || Some(spans(trace_id)).filter(|spans| condition(spans))).await
}

/// Waits for as many spans as a completed order has, and asserts that they are the right ones.
async fn assert_completed(trace_id: &str) -> Vec<Span> {
    let count = completed().values().sum::<usize>();
    let enough = |spans: &[Span]| titles(spans).values().sum::<usize>() >= count;
    let spans = collected(trace_id, "all spans are collected", enough).await;
    assert_eq!(titles(&spans), completed());
    assert_parents(&spans);
    spans
}

pub(crate) async fn an_order_is_one_trace_over_five_services(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    let trace_id = trace_id(&visitor, order).await;
    let spans = assert_completed(&trace_id).await;
    let services: BTreeSet<&str> = spans.iter().map(|span| &*span.service).collect();
    assert_eq!(services, scenarios::services().into_iter().collect());
    for span in &spans {
        let is_http = matches!(span.kind, SpanKind::Server | SpanKind::Client);
        let names_order = is_http || span.get("quintet.aggregate_id") == order.to_string();
        assert!(names_order && !span.failed, "{span:?}");
    }
    assert_types(&spans);
    for span in &spans {
        let process = ["service.version", "service.instance.id"].map(|name| span.process(name));
        assert!(process.iter().all(|text| !text.is_empty()), "{span:?}");
    }
    let is_of_event = |span: &&Span| matches!(span.kind, SpanKind::Consumer | SpanKind::Producer);
    for span in spans.iter().filter(is_of_event) {
        assert_eq!(span.get("messaging.client.id"), format!("quintet-{}", span.service));
        assert_eq!(span.get("messaging.kafka.message.key"), order.to_string(), "{span:?}");
        let kafka = span.get("messaging.system") == "kafka";
        assert_eq!(span.get("server.address").is_empty(), !kafka, "{span:?}");
    }
    // An order has no second trace, which would clutter a search for traces.
    assert!(linked(&trace_id).is_empty(), "{:?}", linked(&trace_id));
    let request = spans.iter().find(|span| span.kind == SpanKind::Server).expect("the request");
    let attributes = ["http.request.method", "http.route", "http.response.status_code", "url.path"];
    assert_eq!(attributes.map(|name| request.get(name)), ["POST", "/orders", "202", "/orders"]);
    visitor.assert_sound().await;
}

pub(crate) async fn a_trace_is_complete_although_payment_is_killed_and_rewound(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(5).await);
    visitor.faults(json!({"payment": {"latency_ms": 3_000}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let trace_id = trace_id(&visitor, order).await;
    let consumed =
        ["payment: process orders OrderPlaced", "payment: process inventory StockReserved"];
    let has_consumed =
        |spans: &[Span]| consumed.iter().all(|title| titles(spans).contains_key(*title));
    collected(&trace_id, "payment has requested the charge", has_consumed).await;
    suite.kill(&["payment"]).await;
    visitor.faults(json!({})).await;
    visitor.until_ended(order, "completed").await;
    assert_completed(&trace_id).await;

    suite.stop_program("payment").await;
    let (bus, topics) = (suite.bus().await, ["orders", "inventory", "shipping"]);
    let rewound = bus.rewind("quintet-payment", &topics).await;
    rewound.expect("a group without members can be set back");
    suite.start_program("payment").await;
    let has_duplicates = |spans: &[Span]| {
        let duplicates = spans.iter().filter(|span| span.is_duplicate()).map(Span::title);
        let duplicates: BTreeSet<String> = duplicates.collect();
        consumed.iter().all(|title| duplicates.contains(*title))
    };
    collected(&trace_id, "payment has received its events again", has_duplicates).await;
    assert_completed(&trace_id).await;
    visitor.assert_sound().await;
}

pub(crate) async fn a_cancellation_continues_the_orders_trace(visitor: Visitor) {
    let sku = visitor.product(5).await;
    visitor.suite().stop_program("payment").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let trace_id = trace_id(&visitor, order).await;
    assert_eq!(visitor.cancel(order).await.status, reqwest::StatusCode::ACCEPTED);
    visitor.suite().start_program("payment").await;
    visitor.until_ended(order, "cancelled").await;
    let expected =
        ["order: create orders OrderCancellationRequested", "order: create orders OrderCancelled"];
    let is_complete = |spans: &[Span]| {
        let ids: BTreeSet<&str> = spans.iter().map(|span| &*span.id).collect();
        // A span may arrive before its parent, because each service exports its spans by itself.
        let has_parent = |span: &Span| span.parent.is_empty() || ids.contains(&*span.parent);
        let has_expected = expected.iter().all(|title| titles(spans).contains_key(*title));
        has_expected && spans.iter().all(has_parent)
    };
    let description = "all spans of the cancellation are collected";
    assert_parents(&collected(&trace_id, description, is_complete).await);
    let request = until("the span of the cancelling request is collected", async || {
        linked(&trace_id).into_iter().find(|span| span.kind == SpanKind::Server)
    })
    .await;
    assert_eq!(request.title(), "order: POST /orders/{id}/cancellation");
    visitor.assert_sound().await;
}

pub(crate) async fn retries_are_visible(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku).token("tok_flaky")).await;
    visitor.until_ended(order, "completed").await;
    let trace_id = trace_id(&visitor, order).await;
    let of_payment = |spans: &[Span], name: &str| -> Vec<Span> {
        let named = spans.iter().filter(|span| span.service == "payment" && span.name == name);
        named.cloned().collect()
    };
    let spans = collected(&trace_id, "three attempts are collected", |spans| {
        of_payment(spans, "charge").len() == 3 && of_payment(spans, "POST").len() == 3
    });
    let spans = spans.await;
    let mut attempts = of_payment(&spans, "charge");
    attempts.sort_by_key(|span| span.get("quintet.attempt").to_owned());
    let results: Vec<_> = attempts.iter().map(|s| (s.get("quintet.attempt"), s.failed)).collect();
    assert_eq!(results, [("1", true), ("2", true), ("3", false)]);
    let statuses = of_payment(&spans, "POST").into_iter().map(|span| {
        let attempt = attempts.iter().find(|attempt| attempt.id == span.parent);
        let attempt = attempt.expect("a request's parent is its attempt");
        (
            attempt.get("quintet.attempt").to_owned(),
            span.get("http.response.status_code").to_owned(),
        )
    });
    let statuses: BTreeMap<String, String> = statuses.collect();
    let statuses: Vec<&str> = statuses.values().map(String::as_str).collect();
    assert_eq!(statuses, ["503", "503", "200"]);
    visitor.assert_sound().await;
}

pub(crate) async fn an_order_that_is_not_sampled_has_a_trace_id_too(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let mut orders = Vec::new();
    for flags in ["00", "01"] {
        // The trace id is random, because all scenarios of this process share one collector.
        let trace = uuid_v7(&SystemClock, &SystemRandom).simple().to_string();
        let parent = format!("00-{trace}-00f067aa0ba902b7-{flags}");
        let request = visitor.request_to_order(reqwest::Method::POST, "/orders");
        let request = request.header("traceparent", parent).json(&NewOrder::of(&sku).0);
        let order = visitor.remember(&visitor.send(request).await);
        assert_eq!(trace_id(&visitor, order).await, trace);
        visitor.until_ended(order, "completed").await;
        orders.push(trace);
    }
    // The caller has asked for sampling of the second order only. Once its spans are there, those of the first would be too.
    let count = completed().values().sum::<usize>();
    let enough = |spans: &[Span]| spans.len() >= count;
    let sampled = collected(&orders[1], "all spans are collected", enough).await;
    assert_eq!(titles(&sampled), completed());
    assert!(spans(&orders[0]).is_empty(), "{:?}", spans(&orders[0]));
    visitor.assert_sound().await;
}
