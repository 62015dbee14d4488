//! `quintet place`, `watch` and `orders`.

use crate::fake::{FakeSuite, order_id, text};
use serde_json::Value;

const HEADINGS: &str = "       since placed     since last  event                       service\n";
const TIMELINE: &str = concat!(
    "   1          +0 ms                 OrderPlaced                 order\n",
    "   2         +10 ms         +10 ms  PaymentDeclined             order\n",
    "   3         +20 ms         +10 ms  OrderCancelled              order\n",
    "   4         +30 ms         +10 ms  NotificationSent            order\n",
    "   5         +40 ms         +10 ms  NotificationFailed          order\n",
    "cancelled in 20 ms: payment_declined\n",
);

#[tokio::test]
async fn place_follows_an_order_to_its_end_over_a_broken_connection() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let placed = suite.run(&["place", "--follow"]).await;
    assert_eq!(placed.status.code(), Some(0), "{}", text(&placed.stderr));
    let title = format!("order {}, trace 4bf92f3577b34da6a3ce929d0e0e4736\n", order_id(1));
    assert_eq!(text(&placed.stdout), format!("placed {title}{HEADINGS}{TIMELINE}"));
    assert_eq!(suite.state.lock().unwrap().resumed, [None, Some(2)]);
}

#[tokio::test]
async fn watch_shows_the_timeline_as_text_and_as_json_lines() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let watched = suite.run(&["watch", &order_id(4)]).await;
    assert_eq!(watched.status.code(), Some(0), "{}", text(&watched.stderr));
    let title = format!("order {}, trace 4bf92f3577b34da6a3ce929d0e0e4736\n", order_id(4));
    assert_eq!(text(&watched.stdout), format!("{title}{HEADINGS}{TIMELINE}"));

    let watched = suite.run(&["watch", &order_id(4), "--json"]).await;
    let lines: Vec<Value> =
        text(&watched.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!((&lines[1]["seq"], &lines[1]["event"]), (&2.into(), &"PaymentDeclined".into()));
    assert_eq!(lines[0]["step_seconds"], Value::Null);
    assert_eq!(lines[1]["step_seconds"], 0.01);
    assert_eq!(lines[2]["since_placed_seconds"], 0.02);
    assert_eq!(lines[2]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&lines[5]["status"], &lines[5]["mails_sent"]), (&"cancelled".into(), &2.into()));
}

#[tokio::test]
async fn place_stops_following_an_order_that_only_an_operator_can_end() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.state.lock().unwrap().needs_attention = true;
    let placed = suite.run(&["place", "--follow"]).await;
    assert_eq!(placed.status.code(), Some(3));
    let stdout = text(&placed.stdout);
    assert!(stdout.contains("\n  needs attention: payment has not answered for "), "{stdout}");
    assert!(!stdout.contains("refused the refund"), "{stdout}");
    assert!(stdout.ends_with("\ncancelling, needs attention\n"), "{stdout}");
    let stderr = text(&placed.stderr);
    let warning = format!("quintet: order {} waits for an operator", order_id(1));
    assert!(stderr.starts_with(&warning), "{stderr}");
}

#[tokio::test]
async fn place_stops_following_an_order_whose_refund_was_refused() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.state.lock().unwrap().refund_refused = true;
    let placed = suite.run(&["place", "--follow"]).await;
    assert_eq!(placed.status.code(), Some(3));
    let admin = format!("http://127.0.0.1:{}", suite.port + 102);
    let retry = format!("\n  curl -X POST {admin}/admin/payments/{}/refund\n", order_id(1));
    let stdout = text(&placed.stdout);
    assert!(stdout.contains("the provider refused the refund"), "{stdout}");
    assert!(stdout.contains(&retry), "{stdout}");
    assert!(stdout.ends_with("\ncancelling, waits for an operator\n"), "{stdout}");

    let placed = suite.run(&["place", "--count", "3", "--follow", "--json"]).await;
    assert_eq!(placed.status.code(), Some(3));
    let summary: Value = serde_json::from_slice(&placed.stdout).unwrap();
    assert_eq!(summary["needing_attention"], 3);
}

#[tokio::test]
async fn place_shows_why_an_order_is_refused() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let refused = suite.run(&["place", "--sku", "cup"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let expected = "quintet: items[0].sku: unknown; see /products (422 Unprocessable Entity)\n";
    assert_eq!(text(&refused.stderr), expected);
}

#[tokio::test]
async fn many_orders_have_keys_of_their_own_and_one_summary() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let placed = suite.run(&["place", "--count", "50", "--follow", "--json"]).await;
    let summary: Value = serde_json::from_slice(&placed.stdout).unwrap();
    assert_eq!(summary["accepted"], 50);
    assert_eq!((&summary["completed"], &summary["cancelled"]), (&0.into(), &50.into()));
    let keys = suite.state.lock().unwrap().order_keys.clone();
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), 50);
}

#[tokio::test]
async fn orders_are_listed_over_pages_up_to_the_limit() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let listed = suite.run(&["orders"]).await;
    let lines: Vec<&str> = text(&listed.stdout).lines().collect();
    assert_eq!(lines.len(), 8, "{lines:?}");
    assert!(lines[0].starts_with("order    "), "{lines:?}");
    let row = format!("{}  cancelled  payment_declined  12.98 EUR  ", order_id(7));
    assert!(lines[1].starts_with(&row), "{lines:?}");

    let filtered =
        ["orders", "--status", "cancelled", "--needs-attention", "--limit", "4", "--json"];
    let listed = suite.run(&filtered).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ids = listed["orders"].as_array().unwrap().iter().map(|order| order["id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), [7, 6, 5, 4].map(order_id));
    assert_eq!(listed["more"], true);
    let state = suite.state.lock().unwrap();
    let last = state.list_queries.last().unwrap();
    assert_eq!((&*last["status"], &*last["cursor"], &*last["limit"]), ("cancelled", "3", "1"));
    assert_eq!(last["needs_attention"], "true");
}

#[tokio::test]
async fn the_error_for_an_unknown_token_lists_the_known_ones() {
    let suite = FakeSuite::new();
    let refused = suite.run(&["place", "--token", "tok_okay"]).await;
    assert_eq!(refused.status.code(), Some(2));
    let stderr = text(&refused.stderr);
    for expected in ["'tok_okay'", "tok_ok,", "tok_refund_refused"] {
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[tokio::test]
async fn an_order_is_placed_for_the_given_customer() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    suite.run(&["place"]).await;
    suite.run(&["place", "--email", "grace@example.com"]).await;
    let state = suite.state.lock().unwrap();
    assert_eq!(state.emails, ["ada@example.com", "grace@example.com"]);
}
