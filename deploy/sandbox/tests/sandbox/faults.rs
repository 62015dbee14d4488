//! Each knob, alone and across a restart.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Harness, booking};

#[tokio::test]
async fn an_outage_records_nothing_and_ends() {
    let it = Harness::start().await;
    it.faults(json!({ "payment": { "outage": true, "latency_ms": 600_000 } })).await;
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (booked, _) = it.post("/bookings", "b", &booking("50667")).await;
    assert_eq!(booked, StatusCode::OK, "the carrier is another provider");
    assert_eq!(it.ledger().await["charges"], json!([]));
    it.faults(json!({})).await;
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::OK);
}

#[tokio::test]
async fn errors_come_before_the_effect() {
    let it = Harness::start().await;
    it.faults(json!({ "carrier": { "error_rate": 1.0 } })).await;
    let (status, _) = it.post("/bookings", "b", &booking("50667")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(it.ledger().await["bookings"], json!([]));
}

#[tokio::test]
async fn lost_answers_charge_once() {
    let it = Harness::start().await;
    it.faults(json!({ "payment": { "lost_answer_rate": 1 } })).await;
    for _ in 0..3 {
        assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::GATEWAY_TIMEOUT);
    }
    it.faults(json!({})).await;
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::OK);
    let ledger = it.ledger().await;
    assert_eq!(ledger["charges"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["charges"][0]["requests"], json!(4));
}

#[tokio::test]
async fn latency_comes_before_the_effect() {
    let it = Harness::start().await;
    it.faults(json!({ "payment": { "latency_ms": 200 } })).await;
    let begun = Instant::now();
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_seed_repeats_its_faults() {
    let it = Harness::start().await;
    let plan = json!({ "payment": { "error_rate": 0.3, "lost_answer_rate": 0.3 }, "seed": 42 });
    let mut runs = Vec::new();
    for run in 0..2 {
        it.faults(plan.clone()).await;
        let mut statuses = Vec::new();
        for nth in 0..40 {
            statuses.push(it.charge(&format!("{run}-{nth}"), "tok_ok").await.0);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    for status in [200, 503, 504] {
        assert!(runs[0].iter().any(|seen| seen.as_u16() == status), "no {status}");
    }
}

#[tokio::test]
async fn knobs_outlive_a_restart() {
    let it = Harness::start().await;
    it.faults(json!({ "mail": { "latency_ms": 7 }, "payment": { "outage": true }, "seed": 3 }))
        .await;
    let before = it.get("/faults").await;
    let it = it.restart().await;
    assert_eq!(it.get("/faults").await, before);
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let off =
        json!({ "latency_ms": 0, "error_rate": 0.0, "lost_answer_rate": 0.0, "outage": false });
    it.faults(json!({})).await;
    let expected = json!({ "payment": off, "carrier": off, "mail": off, "seed": 0 });
    assert_eq!(it.get("/faults").await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn wrong_knobs_are_named_and_change_nothing() {
    let it = Harness::start().await;
    let before = it.get("/faults").await;
    for (plan, named) in [
        (json!({ "payment": { "error_rate": 1.5 } }), "payment.error_rate"),
        (json!({ "mail": { "lost_answer_rate": -0.1 } }), "mail.lost_answer_rate"),
        (json!({ "carrier": { "latency_ms": -1 } }), "carrier.latency_ms"),
        (json!({ "carrier": { "latency": 1 } }), "carrier.latency"),
        (json!({ "bank": {} }), "bank"),
        (json!({ "seed": "x" }), "seed"),
    ] {
        let (status, problem) = it.put_faults(&plan).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{plan}");
        assert_eq!(problem["field"], json!(named), "{problem}");
    }
    assert_eq!(it.get("/faults").await, before);
}

#[tokio::test]
async fn poison_meets_what_is_marked_and_nothing_else() {
    let it = Harness::start().await;
    for (poison, status) in
        [("refuse", StatusCode::BAD_REQUEST), ("unavailable", StatusCode::SERVICE_UNAVAILABLE)]
    {
        let knobs = json!({ "poison": poison });
        it.faults(json!({ "payment": knobs, "carrier": knobs })).await;
        assert_eq!(it.charge("p", "tok_poisoned").await.0, status, "{poison}");
        assert_eq!(it.post("/bookings", "p", &booking("66666")).await.0, status, "{poison}");
        assert_eq!(it.charge(poison, "tok_ok").await.0, StatusCode::OK);
        assert_eq!(it.post("/bookings", poison, &booking("50667")).await.0, StatusCode::OK);
    }
    assert_eq!(it.ledger().await["charges"].as_array().unwrap().len(), 2);
    it.faults(json!({})).await;
    assert_eq!(it.charge("p", "tok_poisoned").await.0, StatusCode::OK);
    assert_eq!(it.post("/bookings", "p", &booking("66666")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_poisoned_request_that_hangs_keeps_no_other_waiting() {
    let it = Harness::start().await;
    it.faults(json!({ "payment": { "poison": "hang" } })).await;
    let hanging = it.charge("p", "tok_poisoned");
    tokio::pin!(hanging);
    tokio::select! {
        answer = &mut hanging => panic!("it is answered: {answer:?}"),
        (status, _) = it.charge("k", "tok_ok") => assert_eq!(status, StatusCode::OK),
    }
}
