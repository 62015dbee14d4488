//! The audit's exit codes.

use crate::fake::{Suite, order_id, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_sound_suite_ends_with_zero_and_seven_marks() {
    let suite = Suite::new();
    let _up = suite.running().await;
    let audited = suite.run(&["audit"]).await;
    assert_eq!(audited.status.code(), Some(0), "{}", text(&audited.stderr));
    let told = text(&audited.stdout);
    assert_eq!(told.lines().filter(|line| line.starts_with("✓ ")).count(), 7, "{told}");
    assert!(told.ends_with("\nsound: all 7 invariants hold\n"), "{told}");
}

#[tokio::test]
async fn a_broken_one_ends_with_one_and_the_orders_id() {
    let suite = Suite::new();
    let _up = suite.running().await;
    let lost = json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.world.lock().unwrap().rows.insert("shipping", vec![lost]);
    let audited = suite.run(&["audit"]).await;
    assert_eq!(audited.status.code(), Some(1), "{}", text(&audited.stderr));
    let told = text(&audited.stdout);
    let why = format!(
        "✗ 1 every accepted order ends exactly once\n    cancelled 0, completed 0, open 0, orders 0\n    order {}: is known to shipping, but not to order\n",
        order_id(3)
    );
    assert!(told.starts_with(&why), "{told}");

    let audited = suite.run(&["audit", "--json"]).await;
    assert_eq!(audited.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(told["verdict"], "broken");
    assert_eq!(told["invariants"][0]["offences"][0]["order"], order_id(3));
}

#[tokio::test]
async fn one_that_is_not_at_rest_ends_with_two_and_who_is_not() {
    let suite = Suite::new();
    let _up = suite.running().await;
    let lost = json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.world.lock().unwrap().rows.insert("shipping", vec![lost]);
    suite.world.lock().unwrap().effects.insert("shipping", 2);
    let audited = suite.run(&["audit", "--wait", "500ms"]).await;
    assert_eq!(audited.status.code(), Some(2), "{}", text(&audited.stderr));
    let told = text(&audited.stdout);
    assert_eq!(told.lines().filter(|line| line.starts_with("✓ ")).count(), 6, "{told}");
    let end = format!(
        "not at rest after 500 ms: the verdict above leaves these out:\n    shipping: effects 2\n    order {}: its shipment is booking\nthe 6 invariants that can be judged hold\n",
        order_id(3)
    );
    assert!(told.ends_with(&end), "{told}");
    assert_eq!(text(&audited.stderr), "waiting for rest…\n");

    let audited = suite.run(&["audit", "--wait", "0s", "--json"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let told: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(told["waiting"], json!(["shipping: effects 2"]));
    assert_eq!(told["under_way"][0]["order"], order_id(3));

    // What is wrong beside the order under way is no less wrong.
    let broken = json!({"table": "product", "sku": "mug", "stocked": 3, "on_hand": 2, "reserved": 0,
        "shipped": 0});
    suite.world.lock().unwrap().rows.insert("inventory", vec![broken]);
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(1), "{}", text(&audited.stdout));
    assert!(text(&audited.stdout).contains("✗ 4 stock adds up"), "{}", text(&audited.stdout));
}

#[tokio::test]
async fn the_outside_world_that_is_stopped_is_named() {
    let suite = Suite::new();
    let _up = suite.running().await;
    suite.world.lock().unwrap().silent.insert("sandbox");
    suite.run(&["stop", "sandbox"]).await;
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let told = text(&audited.stdout);
    assert!(
        told.contains("\n    sandbox is stopped: `quintet start sandbox` starts it\n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_service_that_is_stopped_is_named() {
    let suite = Suite::new();
    let _up = suite.running().await;
    suite.run(&["stop", "payment"]).await;
    suite.stop_serving().await;
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2));
    let told = text(&audited.stdout);
    assert!(
        told.contains("\n    payment is stopped: `quintet start payment` starts it\n"),
        "{told}"
    );
    assert!(told.contains("\n    order does not answer: "), "{told}");
}

#[tokio::test]
async fn while_a_service_is_stopped_the_open_orders_are_named_and_what_needs_nothing_of_it_is_judged()
 {
    let suite = Suite::new();
    let _up = suite.running().await;
    suite.run(&["stop", "payment"]).await;
    let open = json!({"table": "orders", "order_id": order_id(3), "stage": "reserved", "requested": null,
        "cause": null, "stock_settled": false, "money_settled": false, "ended": null,
        "needs_attention": false, "total_minor": 1298, "currency": "EUR", "items": []});
    suite.world.lock().unwrap().rows.insert("order", vec![open]);
    suite.world.lock().unwrap().silent.insert("payment");
    let audited = suite.run(&["audit", "--wait", "0s"]).await;
    assert_eq!(audited.status.code(), Some(2), "{}", text(&audited.stderr));
    let told = text(&audited.stdout);
    let judged: Vec<&str> = told.lines().filter(|line| line.starts_with("✓ ")).collect();
    assert!(judged.len() == 3 && judged[1].starts_with("✓ 4 "), "{told}");
    let end = format!(
        "\n    payment is stopped: `quintet start payment` starts it\n    order {}: has not ended: it is reserved\nthe 3 invariants that can be judged hold\n",
        order_id(3)
    );
    assert!(told.ends_with(&end), "{told}");

    let audited = suite.run(&["audit", "--wait", "0s", "--json"]).await;
    let told: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(told["under_way"][0]["order"], order_id(3));
    assert_eq!(told["invariants"].as_array().unwrap().len(), 3);
}
