//! The order service's HTTP interface: idempotency keys, refusals and errors.

use contracts::Sku;
use futures::future::join_all;
use reqwest::{Method, StatusCode, header};
use scenarios::{Answer, NewOrder, Visitor};
use serde_json::{Value, json};

pub(crate) async fn twenty_times_the_same_request_is_one_order(visitor: Visitor) {
    let sku = visitor.product(30).await;
    let body = NewOrder::of(&sku).0;
    let request = || keyed(&visitor, "twenty times", &sku, &body);
    let answers = join_all((0..20).map(|_| request())).await;
    let first = &answers[0];
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
    assert!(answers.iter().all(|answer| answer == first), "answers differ: {answers:?}");
    let order = visitor.remember(first);
    visitor.until_ended(order, "completed").await;
    // A repeat after the order has ended gets the same answer.
    assert_eq!(request().await, *first);
    visitor.assert_sound().await;
    assert_eq!(visitor.own().await.orders.len(), 1);
}

pub(crate) async fn another_body_under_the_same_key_is_refused(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = NewOrder::of(&sku);
    let first = keyed(&visitor, "another body", &sku, &order.0).await;
    let order = order.quantity(2);
    let other = keyed(&visitor, "another body", &sku, &order.0).await;
    assert_field_problem(&other, StatusCode::UNPROCESSABLE_ENTITY, "Idempotency-Key");
    // The same body is accepted under another key.
    let fresh = keyed(&visitor, "its own", &sku, &order.0).await;
    for answer in [&first, &fresh] {
        let order = visitor.remember(answer);
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
}

/// Places an order under a key that contains the SKU, because scenarios on the same suite must not use the same key.
async fn keyed(visitor: &Visitor, key: &str, sku: &Sku, body: &Value) -> Answer {
    let request = visitor.request_to_order(Method::POST, "/orders");
    let request = request.header("idempotency-key", format!("\"{key} {sku}\""));
    visitor.send(request.json(body)).await
}

pub(crate) async fn the_refusal_of_a_bad_order_names_the_field(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let good = || NewOrder::of(&sku);
    let line = |sku: &str| json!({"sku": sku, "quantity": 1});
    let lines = |count: usize| (0..count).map(|nth| line(&format!("sku-{nth}"))).collect::<Value>();
    let bad = [
        ("/customer/email", good().with("/customer/email", "nobody")),
        ("/customer/email", good().with("/customer/email", 7)),
        ("/items/0/quantity", good().quantity(0)),
        ("/items/0/quantity", good().quantity(-1)),
        ("/items/0/quantity", good().quantity(1_000_000_000_000_000_000)),
        ("/items/0/quantity", good().with("/items/0/quantity", "1")),
        ("/items/0/quantity", good().with("/items/0/quantity", 1.5)),
        ("/items/0/sku", good().with("/items/0/sku", "no-such-sku")),
        ("/items/0/sku", good().with("/items/0/sku", "no sku at all")),
        ("/items/1/sku", good().with("/items", json!([line(sku.as_str()), line(sku.as_str())]))),
        ("/items", good().with("/items", json!([]))),
        ("/items", good().with("/items", lines(101))),
        ("/shipping_address/city", good().with("/shipping_address/city", " ")),
        ("/payment/token", good().with("/payment/token", "")),
    ];
    for (field, order) in bad {
        let answer = visitor.post("/orders", &order.0).await;
        assert_field_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, field);
    }
    for field in
        ["/customer", "/items", "/payment", "/shipping_address/country", "/items/0/quantity"]
    {
        let answer = visitor.post("/orders", &good().without(field).0).await;
        assert_field_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, field);
    }
    visitor.assert_sound().await;
    assert!(visitor.own().await.orders.is_empty());
}

pub(crate) async fn a_body_that_is_no_order_is_refused(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = NewOrder::of(&sku).0.to_string();
    let large = format!("{order}{}", " ".repeat(1_000_000));
    for (body, media_type, status) in [
        ("{\"customer\": ", "application/json", StatusCode::BAD_REQUEST),
        ("", "application/json", StatusCode::BAD_REQUEST),
        ("[]", "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        (&*format!("[{order}]"), "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        ("null", "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        (&*large, "application/json", StatusCode::PAYLOAD_TOO_LARGE),
        (&*order, "text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let request = visitor.request_to_order(Method::POST, "/orders");
        let request = request.header(header::CONTENT_TYPE, media_type).body(body.to_owned());
        let answer = visitor.send(request).await;
        assert_eq!(answer.status, status, "{media_type} {body:.40}: {}", answer.body);
        assert_problem(&answer);
    }
    visitor.assert_sound().await;
    assert!(visitor.own().await.orders.is_empty());
}

pub(crate) async fn an_unknown_order_is_not_found(visitor: Visitor) {
    let unknown = "/orders/01a1fde8-c42a-73f5-96da-6e816ab97e8a";
    let read = visitor.send(visitor.request_to_order(Method::GET, unknown)).await;
    let cancelled = visitor.post(&format!("{unknown}/cancellation"), &json!({})).await;
    for answer in [read, cancelled] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
        assert_problem(&answer);
    }
    let no_id = visitor.send(visitor.request_to_order(Method::GET, "/orders/7")).await;
    assert_eq!(no_id.status, StatusCode::BAD_REQUEST, "{}", no_id.body);
    assert_problem(&no_id);
    visitor.assert_sound().await;
}

pub(crate) async fn an_ended_order_cannot_be_cancelled(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    let answer = visitor.cancel(order).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    assert_problem(&answer);
    assert!(detail(&answer).contains("completed"), "{}", answer.body);
    visitor.assert_sound().await;
}

/// Asserts that an answer is a problem with this status that names the field.
fn assert_field_problem(answer: &Answer, status: StatusCode, field: &str) {
    assert_eq!(answer.status, status, "{field}: {}", answer.body);
    assert_problem(answer);
    let pointer = answer.body.pointer("/errors/0/pointer").and_then(Value::as_str);
    assert_eq!(pointer, Some(field), "{}", answer.body);
    assert!(detail(answer).starts_with(field), "{}", answer.body);
}

fn assert_problem(answer: &Answer) {
    assert_eq!(answer.content_type, "application/problem+json", "{}", answer.body);
    assert_eq!(answer.body["status"], answer.status.as_u16());
    assert!(answer.body["title"].is_string() && !detail(answer).is_empty(), "{}", answer.body);
}

fn detail(answer: &Answer) -> &str {
    answer.body["detail"].as_str().unwrap_or_default()
}
