//! Each fault knob, alone and across a restart.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Harness, booking};

#[tokio::test]
async fn nothing_is_recorded_during_an_outage() {
    let harness = Harness::start().await;
    harness.faults(json!({ "payment": { "outage": true, "latency_ms": 600_000 } })).await;
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (booked, _) = harness.post("/bookings", "b", &booking("50667")).await;
    assert_eq!(booked, StatusCode::OK, "the carrier is another provider");
    assert_eq!(harness.ledger().await["charges"], json!([]));
    harness.faults(json!({})).await;
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_error_precedes_the_effect() {
    let harness = Harness::start().await;
    harness.faults(json!({ "carrier": { "error_rate": 1.0 } })).await;
    let (status, _) = harness.post("/bookings", "b", &booking("50667")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(harness.ledger().await["bookings"], json!([]));
}

#[tokio::test]
async fn a_charge_with_lost_answers_is_recorded_once() {
    let harness = Harness::start().await;
    harness.faults(json!({ "payment": { "lost_answer_rate": 1 } })).await;
    for _ in 0..3 {
        assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::GATEWAY_TIMEOUT);
    }
    harness.faults(json!({})).await;
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::OK);
    let ledger = harness.ledger().await;
    assert_eq!(ledger["charges"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["charges"][0]["requests"], json!(4));
}

#[tokio::test]
async fn latency_precedes_the_effect() {
    let harness = Harness::start().await;
    harness.faults(json!({ "payment": { "latency_ms": 200 } })).await;
    let begun = Instant::now();
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_seed_repeats_its_faults() {
    let harness = Harness::start().await;
    let plan = json!({ "payment": { "error_rate": 0.3, "lost_answer_rate": 0.3 }, "seed": 42 });
    let mut runs = Vec::new();
    for run in 0..2 {
        harness.faults(plan.clone()).await;
        let mut statuses = Vec::new();
        for nth in 0..40 {
            statuses.push(harness.charge(&format!("{run}-{nth}"), "tok_ok").await.0);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    for status in [200, 503, 504] {
        assert!(runs[0].iter().any(|seen| seen.as_u16() == status), "no {status}");
    }
}

#[tokio::test]
async fn knobs_survive_a_restart() {
    let harness = Harness::start().await;
    harness
        .faults(json!({ "mail": { "latency_ms": 7 }, "payment": { "outage": true }, "seed": 3 }))
        .await;
    let before = harness.get("/faults").await;
    let harness = harness.restart().await;
    assert_eq!(harness.get("/faults").await, before);
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let off =
        json!({ "latency_ms": 0, "error_rate": 0.0, "lost_answer_rate": 0.0, "outage": false });
    harness.faults(json!({})).await;
    let expected = json!({ "payment": off, "carrier": off, "mail": off, "seed": 0 });
    assert_eq!(harness.get("/faults").await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn wrong_knobs_are_named_and_change_nothing() {
    let harness = Harness::start().await;
    let before = harness.get("/faults").await;
    for (plan, named) in [
        (json!({ "payment": { "error_rate": 1.5 } }), "payment.error_rate"),
        (json!({ "mail": { "lost_answer_rate": -0.1 } }), "mail.lost_answer_rate"),
        (json!({ "carrier": { "latency_ms": -1 } }), "carrier.latency_ms"),
        (json!({ "carrier": { "latency": 1 } }), "carrier.latency"),
        (json!({ "bank": {} }), "bank"),
        (json!({ "seed": "x" }), "seed"),
    ] {
        let (status, problem) = harness.put_faults(&plan).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{plan}");
        assert_eq!(problem["field"], json!(named), "{problem}");
    }
    assert_eq!(harness.get("/faults").await, before);
}

#[tokio::test]
async fn only_poisoned_requests_fail_by_the_poison_knob() {
    let harness = Harness::start().await;
    for (poison, status) in
        [("refuse", StatusCode::BAD_REQUEST), ("unavailable", StatusCode::SERVICE_UNAVAILABLE)]
    {
        let knobs = json!({ "poison": poison });
        harness.faults(json!({ "payment": knobs, "carrier": knobs })).await;
        assert_eq!(harness.charge("p", "tok_poisoned").await.0, status, "{poison}");
        assert_eq!(harness.post("/bookings", "p", &booking("66666")).await.0, status, "{poison}");
        assert_eq!(harness.charge(poison, "tok_ok").await.0, StatusCode::OK);
        assert_eq!(harness.post("/bookings", poison, &booking("50667")).await.0, StatusCode::OK);
    }
    assert_eq!(harness.ledger().await["charges"].as_array().unwrap().len(), 2);
    harness.faults(json!({})).await;
    assert_eq!(harness.charge("p", "tok_poisoned").await.0, StatusCode::OK);
    assert_eq!(harness.post("/bookings", "p", &booking("66666")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_hanging_request_delays_no_other_request() {
    let harness = Harness::start().await;
    harness.faults(json!({ "payment": { "poison": "hang" } })).await;
    let hanging = harness.charge("p", "tok_poisoned");
    tokio::pin!(hanging);
    tokio::select! {
        answer = &mut hanging => panic!("the hanging request is answered: {answer:?}"),
        (status, _) = harness.charge("k", "tok_ok") => assert_eq!(status, StatusCode::OK),
    }
}
