//! The spans of an order, as a collector receives them.

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

/// All that happens to an order that completes.
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
    let url = format!("{}/orders/{order}", visitor.suite().says("/order/url"));
    let order: Value = visitor.get(&url).await;
    order["trace_id"].as_str().expect("an order shows its trace").to_owned()
}

/// Waits until the collector has spans of the trace that are so.
async fn collected(trace_id: &str, what: &str, so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
    until(what, async || Some(spans(trace_id)).filter(|spans| so(spans))).await
}

/// Waits for as many spans as a completed order has, then compares.
async fn assert_completed(trace_id: &str) -> Vec<Span> {
    let all = completed().values().sum::<usize>();
    let enough = |spans: &[Span]| titles(spans).values().sum::<usize>() >= all;
    let spans = collected(trace_id, "all spans", enough).await;
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
        let asked = matches!(span.kind, SpanKind::Server | SpanKind::Client);
        let of_order = asked || span.get("quintet.aggregate_id") == order.to_string();
        assert!(of_order && !span.failed, "{span:?}");
    }
    assert_types(&spans);
    for span in &spans {
        let said = ["service.version", "service.instance.id"].map(|name| span.process(name));
        assert!(said.iter().all(|text| !text.is_empty()), "{span:?}");
    }
    let about_events = |span: &&Span| matches!(span.kind, SpanKind::Consumer | SpanKind::Producer);
    for span in spans.iter().filter(about_events) {
        assert_eq!(span.get("messaging.client.id"), format!("quintet-{}", span.service));
        assert_eq!(span.get("messaging.kafka.message.key"), order.to_string(), "{span:?}");
        let kafka = span.get("messaging.system") == "kafka";
        assert_eq!(span.get("server.address").is_empty(), !kafka, "{span:?}");
    }
    // Nothing fills a search with traces beside the orders'.
    assert!(linked(&trace_id).is_empty(), "{:?}", linked(&trace_id));
    let request = spans.iter().find(|span| span.kind == SpanKind::Server).expect("the request");
    let of_http = ["http.request.method", "http.route", "http.response.status_code", "url.path"];
    assert_eq!(of_http.map(|name| request.get(name)), ["POST", "/orders", "202", "/orders"]);
    visitor.verdict().await;
}

pub(crate) async fn payment_is_killed_and_its_events_come_again(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(5).await);
    visitor.faults(json!({"payment": {"latency_ms": 3_000}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let trace_id = trace_id(&visitor, order).await;
    let noted = |spans: &[Span]| {
        let ours =
            ["payment: process orders OrderPlaced", "payment: process inventory StockReserved"];
        ours.iter().all(|title| titles(spans).contains_key(*title))
    };
    collected(&trace_id, "payment has asked for the charge", noted).await;
    suite.kill(&["payment"]).await;
    visitor.faults(json!({})).await;
    visitor.until_ended(order, "completed").await;
    assert_completed(&trace_id).await;

    suite.stop("payment").await;
    let (bus, topics) = (suite.bus().await, ["orders", "inventory", "shipping"]);
    let rewound = bus.rewind("quintet-payment", &topics).await;
    rewound.expect("a group without members can be set back");
    suite.begin("payment").await;
    let again = |spans: &[Span]| {
        let mut again = spans.iter().filter(|span| span.service == "payment");
        let titles =
            ["payment: process orders OrderPlaced", "payment: process inventory StockReserved"];
        let titles: BTreeSet<String> = titles.map(ToOwned::to_owned).into();
        titles.is_subset(&again.by_ref().filter(|s| s.is_duplicate()).map(Span::title).collect())
    };
    collected(&trace_id, "its events come again", again).await;
    assert_completed(&trace_id).await;
    visitor.verdict().await;
}

pub(crate) async fn a_cancellation_goes_on_in_the_orders_trace(visitor: Visitor) {
    let sku = visitor.product(5).await;
    visitor.suite().stop("payment").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let trace_id = trace_id(&visitor, order).await;
    assert_eq!(visitor.cancel(order).await.status, reqwest::StatusCode::ACCEPTED);
    visitor.suite().begin("payment").await;
    visitor.until_ended(order, "cancelled").await;
    let wanted =
        ["order: create orders OrderCancellationRequested", "order: create orders OrderCancelled"];
    let whole = |spans: &[Span]| {
        let ids: BTreeSet<&str> = spans.iter().map(|span| &*span.id).collect();
        // Each service exports in its own time.
        let known = |span: &Span| span.parent.is_empty() || ids.contains(&*span.parent);
        wanted.iter().all(|title| titles(spans).contains_key(*title)) && spans.iter().all(known)
    };
    assert_parents(&collected(&trace_id, "the cancellation", whole).await);
    let request = until("the request for it", async || {
        linked(&trace_id).into_iter().find(|span| span.kind == SpanKind::Server)
    })
    .await;
    assert_eq!(request.title(), "order: POST /orders/{id}/cancellation");
    visitor.verdict().await;
}

pub(crate) async fn retries_are_visible(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku).token("tok_flaky")).await;
    visitor.until_ended(order, "completed").await;
    let trace_id = trace_id(&visitor, order).await;
    let of = |spans: &[Span], name: &str| -> Vec<Span> {
        let ours = spans.iter().filter(|span| span.service == "payment" && span.name == name);
        ours.cloned().collect()
    };
    let spans = collected(&trace_id, "three attempts", |spans| {
        of(spans, "charge").len() == 3 && of(spans, "POST").len() == 3
    });
    let spans = spans.await;
    let mut attempts = of(&spans, "charge");
    attempts.sort_by_key(|span| span.get("quintet.attempt").to_owned());
    let seen: Vec<_> = attempts.iter().map(|s| (s.get("quintet.attempt"), s.failed)).collect();
    assert_eq!(seen, [("1", true), ("2", true), ("3", false)]);
    let statuses = of(&spans, "POST").into_iter().map(|span| {
        let attempt = attempts.iter().find(|attempt| attempt.id == span.parent);
        let attempt = attempt.expect("it hangs under its attempt");
        (
            attempt.get("quintet.attempt").to_owned(),
            span.get("http.response.status_code").to_owned(),
        )
    });
    let statuses: BTreeMap<String, String> = statuses.collect();
    let statuses: Vec<&str> = statuses.values().map(String::as_str).collect();
    assert_eq!(statuses, ["503", "503", "200"]);
    visitor.verdict().await;
}

pub(crate) async fn what_is_not_sampled_has_an_id_all_the_same(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let mut orders = Vec::new();
    for flags in ["00", "01"] {
        // All scenarios of this process are collected in one place: a trace of its own.
        let trace = uuid_v7(&SystemClock, &SystemRandom).simple().to_string();
        let parent = format!("00-{trace}-00f067aa0ba902b7-{flags}");
        let request = visitor.request_to_order(reqwest::Method::POST, "/orders");
        let request = request.header("traceparent", parent).json(&NewOrder::of(&sku).0);
        let order = visitor.remember(&visitor.send(request).await);
        assert_eq!(trace_id(&visitor, order).await, trace);
        visitor.until_ended(order, "completed").await;
        orders.push(trace);
    }
    // The later one, for which the caller has decided otherwise, is complete.
    let all = completed().values().sum::<usize>();
    let spans_of_later = collected(&orders[1], "all spans", |spans| spans.len() >= all).await;
    assert_eq!(titles(&spans_of_later), completed());
    assert!(spans(&orders[0]).is_empty(), "{:?}", spans(&orders[0]));
    visitor.verdict().await;
}
