//! The payment gateway and the carrier: every token, every answer, idempotency, the ledger.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Harness, ORDER, OTHER_ORDER, booking, charge};

const LOST: StatusCode = StatusCode::GATEWAY_TIMEOUT;
const TURNED_AWAY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const NOT_PAID: StatusCode = StatusCode::PAYMENT_REQUIRED;
const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

fn entered(ledger: &Value, section: &str) -> Vec<(String, String, i64)> {
    let rows = ledger[section].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| {
        let requests = row["requests"].as_i64().unwrap();
        (text(&row["idempotency_key"]), text(&row["status"]), requests)
    })
    .collect()
}

fn row(key: &str, status: &str, requests: i64) -> (String, String, i64) {
    (key.to_owned(), status.to_owned(), requests)
}

#[tokio::test]
async fn tok_ok_captures_once_however_often_it_is_asked() {
    let harness = Harness::start().await;
    let (status, first) = harness.charge("k", "tok_ok").await;
    assert_eq!((status, &first["status"]), (StatusCode::OK, &json!("captured")));
    assert!(first["reference"].as_str().unwrap().starts_with("ch_"));
    assert_eq!(harness.charge("k", "tok_ok").await, (StatusCode::OK, first.clone()));
    // Quotes around the key, as the IETF draft has them, make no other key.
    assert_eq!(harness.charge("\"k\"", "tok_ok").await, (StatusCode::OK, first));
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 3)]);
}

#[tokio::test]
async fn tok_declined_and_strange_tokens_are_declined() {
    let harness = Harness::start().await;
    for (key, token, reason) in
        [("a", "tok_declined", "card_declined"), ("b", "tok_strange", "unknown_token")]
    {
        let declined = json!({ "status": "declined", "reason": reason });
        assert_eq!(harness.charge(key, token).await, (NOT_PAID, declined.clone()));
        assert_eq!(harness.charge(key, token).await, (NOT_PAID, declined));
    }
    let expected = [row("a", "declined", 2), row("b", "declined", 2)];
    assert_eq!(entered(&harness.ledger().await, "charges"), expected);
}

#[tokio::test]
async fn tok_unknown_loses_its_first_answer_but_charges_once() {
    let harness = Harness::start().await;
    assert_eq!(harness.charge("k", "tok_unknown").await.0, LOST);
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 1)]);
    let harness = harness.restart().await;
    let (status, answer) = harness.charge("k", "tok_unknown").await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("captured")));
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 2)]);
}

#[tokio::test]
async fn tok_flaky_fails_twice_across_a_restart_and_records_nothing() {
    let harness = Harness::start().await;
    assert_eq!(harness.charge("k", "tok_flaky").await.0, TURNED_AWAY);
    let harness = harness.restart().await;
    assert_eq!(harness.charge("k", "tok_flaky").await.0, TURNED_AWAY);
    assert!(entered(&harness.ledger().await, "charges").is_empty());
    assert_eq!(harness.charge("k", "tok_flaky").await.0, StatusCode::OK);
    assert_eq!(harness.charge("other", "tok_flaky").await.0, TURNED_AWAY);
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 1)]);
}

#[tokio::test]
async fn a_charge_is_refunded_once() {
    let harness = Harness::start().await;
    let (_, charge) = harness.charge("c", "tok_ok").await;
    let (status, refunded) = harness.refund("r1", &charge, 1298).await;
    assert_eq!((status, &refunded["status"]), (StatusCode::OK, &json!("refunded")));
    assert!(refunded["reference"].as_str().unwrap().starts_with("re_"));
    assert_eq!(harness.refund("r1", &charge, 1298).await, (StatusCode::OK, refunded));
    let refused = json!({ "status": "refused", "reason": "already_refunded" });
    assert_eq!(harness.refund("r2", &charge, 1298).await, (NOT_PAID, refused));
    let expected = [row("r1", "refunded", 2), row("r2", "refused", 1)];
    assert_eq!(entered(&harness.ledger().await, "refunds"), expected);
}

#[tokio::test]
async fn parts_are_refunded_up_to_what_was_captured() {
    let harness = Harness::start().await;
    let (_, charge) = harness.charge("c", "tok_ok").await;
    assert_eq!(harness.refund("r1", &charge, 1299).await.0, NOT_PAID);
    assert_eq!(harness.refund("r2", &charge, 1000).await.0, StatusCode::OK);
    assert_eq!(harness.refund("r3", &charge, 299).await.0, NOT_PAID);
    assert_eq!(harness.refund("r4", &charge, 298).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tok_refund_refused_refuses_the_first_refund_key_only() {
    let harness = Harness::start().await;
    let (status, charge) = harness.charge("c", "tok_refund_refused").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(harness.refund("r1", &charge, 1298).await.0, NOT_PAID);
    let harness = harness.restart().await;
    assert_eq!(harness.refund("r1", &charge, 1298).await.0, NOT_PAID);
    assert_eq!(harness.refund("r2", &charge, 1298).await.0, StatusCode::OK);
    let expected = [row("r1", "refused", 2), row("r2", "refunded", 1)];
    assert_eq!(entered(&harness.ledger().await, "refunds"), expected);
}

#[tokio::test]
async fn a_refund_of_no_charge_of_this_order_is_no_answer() {
    let harness = Harness::start().await;
    let (_, charge) = harness.charge("c", "tok_ok").await;
    for (order, currency, reference, field) in [
        (ORDER, "EUR", "ch_none", "charge"),
        (OTHER_ORDER, "EUR", charge["reference"].as_str().unwrap(), "order_id"),
        (ORDER, "USD", charge["reference"].as_str().unwrap(), "currency"),
    ] {
        let body = json!({
            "order_id": order, "amount_minor": 1, "currency": currency, "charge": reference,
        });
        let (status, problem) = harness.post("/refunds", "r", &body).await;
        assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!(field)));
    }
    assert!(entered(&harness.ledger().await, "refunds").is_empty());
}

#[tokio::test]
async fn the_carrier_books_all_but_one_postal_code() {
    let harness = Harness::start().await;
    let (status, booked) = harness.post("/bookings", "b1", &booking("50667")).await;
    assert_eq!((status, &booked["status"]), (StatusCode::OK, &json!("booked")));
    assert!(booked["tracking"].as_str().unwrap().starts_with("QT"));
    let again = harness.post("/bookings", "b1", &booking("50667")).await;
    assert_eq!(again, (StatusCode::OK, booked));
    let refused = json!({ "status": "refused", "reason": "no_service_to_postal_code" });
    let answer = harness.post("/bookings", "b2", &booking("00000")).await;
    assert_eq!(answer, (StatusCode::CONFLICT, refused));
    let expected = [row("b1", "booked", 2), row("b2", "refused", 1)];
    assert_eq!(entered(&harness.ledger().await, "bookings"), expected);
}

#[tokio::test]
async fn a_key_serves_one_body_only() {
    let harness = Harness::start().await;
    harness.charge("k", "tok_ok").await;
    harness.post("/bookings", "k", &booking("50667")).await;
    let mut dearer = charge("tok_ok");
    dearer["amount_minor"] = json!(1);
    for (path, body) in [("/charges", dearer), ("/bookings", booking("50668"))] {
        let (status, problem) = harness.post(path, "k", &body).await;
        assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!("Idempotency-Key")));
    }
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 1)]);
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let harness = Harness::start().await;
    let with = |field: &str, value: Value| {
        let mut body = charge("tok_ok");
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("amount_minor", json!(0)), "amount_minor"),
        (with("amount_minor", json!("12")), "amount_minor"),
        (with("currency", json!("euro")), "currency"),
        (with("order_id", json!("7")), "order_id"),
    ] {
        let (status, problem) = harness.post("/charges", "k", &body).await;
        assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!(field)));
        assert!(!problem["fix"].as_str().unwrap().is_empty());
    }
    let mut nowhere = booking("50667");
    nowhere["address"].as_object_mut().unwrap().remove("city");
    for (path, body, field) in [
        ("/charges", json!({ "order_id": ORDER }), "amount_minor"),
        ("/bookings", nowhere, "address.city"),
        ("/bookings", json!([]), "body"),
        ("/bookings", json!(7), "body"),
    ] {
        let (status, problem) = harness.post(path, "k", &body).await;
        assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!(field)), "{problem}");
    }
    let mut none = booking("50667");
    none["items"][0]["quantity"] = json!(0);
    let (status, problem) = harness.post("/bookings", "k", &none).await;
    assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!("items[0].quantity")));
    assert_eq!(harness.charge("", "tok_ok").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(harness.charge(&"k".repeat(256), "tok_ok").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_request_without_key_or_json_is_400_as_problem_json() {
    let harness = Harness::start().await;
    let request = harness.client.post(harness.url("/charges")).json(&charge("tok_ok"));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let request = harness.client.post(harness.url("/charges")).header("Idempotency-Key", "k");
    let response = request.body("{\"order_id\":").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(harness.get("/nowhere").await.0, StatusCode::NOT_FOUND);
    assert_eq!(harness.get("/charges").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn two_hundred_at_once_under_one_key_are_one_charge() {
    let harness = Harness::start().await;
    let answers = join_all((0..200).map(|_| harness.charge("k", "tok_ok"))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(answers[0].0, StatusCode::OK);
    assert_eq!(entered(&harness.ledger().await, "charges"), [row("k", "captured", 200)]);
}

#[tokio::test]
async fn the_ledger_has_its_shape_and_filters_by_order() {
    let harness = Harness::start().await;
    let empty = json!({ "charges": [], "refunds": [], "bookings": [], "mails": [] });
    assert_eq!(harness.ledger().await, empty);
    let (_, charge) = harness.charge("c", "tok_ok").await;
    harness.refund("r", &charge, 298).await;
    harness.post("/bookings", "b", &booking("50667")).await;
    let harness = harness.restart().await;
    let expected = json!({
        "charges": [{ "order_id": ORDER, "idempotency_key": "c", "amount_minor": 1298, "currency": "EUR",
                      "status": "captured", "requests": 1 }],
        "refunds": [{ "order_id": ORDER, "idempotency_key": "r", "amount_minor": 298, "currency": "EUR",
                      "status": "refunded", "requests": 1 }],
        "bookings": [{ "order_id": ORDER, "idempotency_key": "b", "status": "booked", "requests": 1 }],
        "mails": [],
    });
    assert_eq!(harness.ledger().await, expected);
    let one = harness.get(&format!("/ledger?order_id={ORDER}")).await;
    assert_eq!(one, (StatusCode::OK, expected));
    let other = harness.get(&format!("/ledger?order_id={OTHER_ORDER}")).await;
    assert_eq!(other, (StatusCode::OK, empty));
    assert_eq!(harness.get("/ledger?order_id=7").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(harness.get("/ledger?order=7").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn health_is_reported() {
    let harness = Harness::start().await;
    assert_eq!(harness.get("/health/live").await.0, StatusCode::OK);
    assert_eq!(harness.get("/health/ready").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_web_page_neither_reads_the_ledger_nor_turns_a_knob() {
    let harness = Harness::start().await;
    let foreign =
        harness.client.get(harness.url("/ledger")).header("host", "evil.example").send().await;
    assert_eq!(foreign.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    let page = harness.client.put(harness.url("/faults")).header("sec-fetch-site", "cross-site");
    let answer = page.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["field"], "Sec-Fetch-Site");
    assert_eq!(
        harness.client.get(harness.url("/ledger")).send().await.unwrap().status(),
        StatusCode::OK
    );
}
