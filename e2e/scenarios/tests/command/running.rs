//! `quintet audit`, `watch`, `orders` and `logs` while orders run.

use std::{
    cell::Cell,
    io::{BufRead, BufReader},
    process::Stdio,
    sync::mpsc,
};

use contracts::Sku;
use futures::future::join;
use scenarios::{NewOrder, OrderView, PATIENCE, Visitor, until};
use serde_json::{Value, json};

const ORDERS: usize = 500;

fn mixed(sku: &Sku, nth: usize) -> NewOrder {
    let order = NewOrder::of(sku);
    match nth % 8 {
        0 => order.token("tok_declined"),
        1 => order.unreachable(),
        2 => order.token("tok_unknown"),
        3 => order.quantity(1_000_000),
        4 => order.bouncing(),
        5 => order.token("tok_flaky"),
        _ => order.quantity(2),
    }
}

pub(crate) async fn the_audit_of_a_busy_suite_reports_no_violation(visitor: Visitor) {
    let sku = visitor.product(10_000).await;
    let placed = Cell::new(0);
    let orders = (0..ORDERS).map(|nth| mixed(&sku, nth)).collect();
    let placing = visitor.place_all(orders, |count| placed.set(count));
    let auditing = async {
        let mut not_at_rest = 0;
        while placed.get() < ORDERS {
            let (code, report) = visitor.suite().audit("0s").await;
            assert_ne!(code, Some(1), "a violation, while orders run: {report}");
            if code == Some(2) {
                assert_eq!(report["result"], "not_at_rest");
                assert!(!report["waiting"].as_array().expect("a list").is_empty(), "{report}");
                not_at_rest += 1;
            }
        }
        not_at_rest
    };
    // This audit begins while orders run, and waits until the last has ended.
    let last_audit = async {
        let some_are_placed = async || (placed.get() >= ORDERS / 10).then_some(());
        until("orders run", some_are_placed).await;
        visitor.suite().audit("60s").await
    };
    let (orders, (not_at_rest, (code, report))) = join(placing, join(auditing, last_audit)).await;
    assert_eq!(orders.len(), ORDERS);
    assert!(not_at_rest > 0, "every audit found the suite at rest");
    assert_eq!(code, Some(0), "{report}");
    visitor.assert_sound().await;
    let (_, report) = visitor.suite().audit("0s").await;
    assert_eq!(report["invariants"][0]["figures"]["orders"], ORDERS);
}

pub(crate) async fn watch_shows_each_event_once_although_the_service_is_killed(visitor: Visitor) {
    let sku = visitor.product(1).await;
    // The outage keeps the order open until the service has been killed.
    visitor.faults(json!({"payment": {"outage": true}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let mut command = visitor.suite().quintet();
    command.args(["watch", &order.to_string()]).stdout(Stdio::piped());
    let mut watch = command.spawn().expect("quintet can be started");
    let (send, printed) = mpsc::channel();
    let stdout = BufReader::new(watch.stdout.take().expect("a pipe"));
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let next = || printed.recv_timeout(PATIENCE).expect("watch prints another line");
    let mut lines = vec![next(), next()];
    visitor.suite().kill(&["order"]).await;
    visitor.faults(json!({})).await;
    visitor.until_ended(order, "completed").await;
    while lines.last().is_some_and(|line| line["status"].is_null()) {
        lines.push(next());
    }
    assert!(watch.wait().expect("watch ends").success());
    let end = lines.pop().expect("the line with the order's end");
    assert_eq!((&end["status"], &end["mails_sent"]), (&"completed".into(), &2.into()), "{end}");
    let seqs: Vec<i64> = lines.iter().filter_map(|line| line["seq"].as_i64()).collect();
    // An event of payment or inventory may arrive after the order's end, and then watch does not show it.
    assert_eq!(seqs, (1..).take(lines.len()).collect::<Vec<_>>());
    assert!((5..=7).contains(&seqs.len()), "{seqs:?}");
    assert!(end["trace_id"].is_string(), "{end}");
    visitor.assert_sound().await;
}

pub(crate) async fn orders_are_listed_by_their_status(visitor: Visitor) {
    let sku = visitor.product(200).await;
    let every_third_declined = |nth| match nth % 3 {
        0 => NewOrder::of(&sku).token("tok_declined"),
        _ => NewOrder::of(&sku),
    };
    let orders = (0..120).map(every_third_declined).collect();
    let placed = visitor.place_all(orders, |_| {}).await;
    for &order in &placed {
        visitor.until(order, "ended", OrderView::has_ended).await;
    }
    let list = async |arguments: &[&str]| -> Vec<String> {
        let (code, mut lines) =
            visitor.suite().run_quintet(&[&["orders"], arguments].concat()).await;
        assert_eq!(code, Some(0));
        let orders = lines.pop().expect("a list")["orders"].take();
        let orders = orders.as_array().expect("a list").clone();
        orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()).collect()
    };
    let mut expected: Vec<String> = placed.iter().map(ToString::to_string).collect();
    expected.sort();
    expected.reverse();
    // The list has more orders than one page of the service.
    assert_eq!(list(&["--limit", "1000"]).await, expected);
    assert_eq!(list(&["--limit", "110"]).await, expected[..110]);
    assert_eq!(list(&["--status", "cancelled", "--limit", "1000"]).await.len(), 40);
    assert_eq!(list(&["--status", "completed", "--limit", "1000"]).await.len(), 80);
    assert!(list(&["--status", "placed"]).await.is_empty());
    visitor.assert_sound().await;
}

pub(crate) async fn logs_of_an_order_show_what_it_waited_for(visitor: Visitor) {
    let sku = visitor.product(2).await;
    let [flaky, other] = [(); 2].map(|()| NewOrder::of(&sku).token("tok_flaky"));
    let (flaky, other) = (visitor.place(&flaky).await, visitor.place(&other).await);
    for order in [flaky, other] {
        visitor.until_ended(order, "completed").await;
    }
    let (code, lines) =
        visitor.suite().run_quintet(&["logs", "--tail", "0", "--order", &flaky.to_string()]).await;
    assert_eq!(code, Some(0));
    let of_payment = lines.iter().filter(|line| line["process"] == "payment");
    let of_payment: Vec<String> = of_payment.map(ToString::to_string).collect();
    assert!(of_payment.iter().any(|line| line.contains("no answer")), "{lines:?}");
    assert!(of_payment.iter().all(|line| !line.contains(&other.to_string())), "{of_payment:?}");
}
