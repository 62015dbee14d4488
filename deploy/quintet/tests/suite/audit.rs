//! The exit codes and reports of `quintet audit`.

use crate::fake::{FakeSuite, order_id, text};
use serde_json::{Value, json};

#[tokio::test]
async fn the_audit_of_a_sound_suite_exits_with_0_and_seven_marks() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let audited = suite.run(&["audit"]).await;
    assert_eq!(audited.status.code(), Some(0), "{}", text(&audited.stderr));
    let report = text(&audited.stdout);
    assert_eq!(report.lines().filter(|line| line.starts_with("✓ ")).count(), 7, "{report}");
    assert!(report.ends_with("\nsound: all 7 invariants hold\n"), "{report}");
}

#[tokio::test]
async fn the_audit_of_a_broken_suite_exits_with_1_and_the_orders_id() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let lost = json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.state.lock().unwrap().rows.insert("shipping", vec![lost]);
    let audited = suite.run(&["audit"]).await;
    assert_eq!(audited.status.code(), Some(1), "{}", text(&audited.stderr));
    let report = text(&audited.stdout);
    let begin = format!(
        "✗ 1 every accepted order ends exactly once\n    cancelled 0, completed 0, open 0, orders 0\n    order {}: is known to shipping, but not to order\n",
        order_id(3)
    );
    assert!(report.starts_with(&begin), "{report}");

    let audited = suite.run(&["audit", "--json"]).await;
    assert_eq!(audited.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(json["result"], "broken");
    assert_eq!(json["invariants"][0]["offences"][0]["order"], order_id(3));
}

#[tokio::test]
async fn the_audit_of_a_busy_suite_exits_with_2_and_what_is_under_way() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let lost = json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.state.lock().unwrap().rows.insert("shipping", vec![lost]);
    suite.state.lock().unwrap().effects.insert("shipping", 2);
    let audited = suite.run(&["audit", "--wait", "500ms"]).await;
    assert_eq!(audited.status.code(), Some(2), "{}", text(&audited.stderr));
    let report = text(&audited.stdout);
    assert_eq!(report.lines().filter(|line| line.starts_with("✓ ")).count(), 6, "{report}");
    let end = format!(
        "not at rest after 500 ms: the result above leaves these out:\n    shipping: effects 2\n    order {}: its shipment is booking\nthe 6 invariants that can be judged hold\n",
        order_id(3)
    );
    assert!(report.ends_with(&end), "{report}");
    assert_eq!(text(&audited.stderr), "waiting for rest…\n");

    let audited = suite.run(&["audit", "--wait", "0s", "--json"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let json: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(json["waiting"], json!(["shipping: effects 2"]));
    assert_eq!(json["under_way"][0]["order"], order_id(3));

    // An offence beside the order under way counts as it does at rest.
    let broken = json!({"table": "product", "sku": "mug", "stocked": 3, "on_hand": 2, "reserved": 0,
        "shipped": 0});
    suite.state.lock().unwrap().rows.insert("inventory", vec![broken]);
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(1), "{}", text(&audited.stdout));
    assert!(text(&audited.stdout).contains("✗ 4 stock adds up"), "{}", text(&audited.stdout));
}

#[tokio::test]
async fn a_stopped_provider_is_named() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.state.lock().unwrap().silent.insert("sandbox");
    suite.run(&["stop", "sandbox"]).await;
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let report = text(&audited.stdout);
    assert!(
        report.contains("\n    sandbox is stopped: `quintet start sandbox` starts it\n"),
        "{report}"
    );
}

#[tokio::test]
async fn a_stopped_service_is_named() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.run(&["stop", "payment"]).await;
    suite.stop_serving().await;
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let report = text(&audited.stdout);
    assert!(
        report.contains("\n    payment is stopped: `quintet start payment` starts it\n"),
        "{report}"
    );
    assert!(report.contains("\n    order does not answer: "), "{report}");
}

#[tokio::test]
async fn while_a_service_is_stopped_invariants_that_do_not_need_it_are_judged() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.run(&["stop", "payment"]).await;
    let open = json!({"table": "orders", "order_id": order_id(3), "stage": "reserved", "requested": null,
        "cause": null, "stock_settled": false, "money_settled": false, "ended": null,
        "needs_attention": false, "total_minor": 1298, "currency": "EUR", "items": []});
    suite.state.lock().unwrap().rows.insert("order", vec![open]);
    suite.state.lock().unwrap().silent.insert("payment");
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2), "{}", text(&audited.stderr));
    let report = text(&audited.stdout);
    let judged: Vec<&str> = report.lines().filter(|line| line.starts_with("✓ ")).collect();
    assert!(judged.len() == 3 && judged[1].starts_with("✓ 4 "), "{report}");
    let end = format!(
        "\n    payment is stopped: `quintet start payment` starts it\n    order {}: has not ended: it is reserved\nthe 3 invariants that can be judged hold\n",
        order_id(3)
    );
    assert!(report.ends_with(&end), "{report}");

    let audited = suite.run(&["audit", "--wait", "0s", "--json"]).await;
    let json: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(json["under_way"][0]["order"], order_id(3));
    assert_eq!(json["invariants"].as_array().unwrap().len(), 3);
}
