//! A suite in which orders run.

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

pub(crate) async fn the_audit_of_a_moving_suite_never_speaks_of_a_violation(visitor: Visitor) {
    let sku = visitor.product(10_000).await;
    let placed = Cell::new(0);
    let orders = (0..ORDERS).map(|nth| mixed(&sku, nth)).collect();
    let placing = visitor.place_all(orders, |count| placed.set(count));
    let auditing = async {
        let mut moving = 0;
        while placed.get() < ORDERS {
            let (code, said) = visitor.suite().audit("0s").await;
            assert_ne!(code, Some(1), "a violation, while orders run: {said}");
            if code == Some(2) {
                assert_eq!(said["verdict"], "not_at_rest");
                assert!(!said["waiting"].as_array().expect("a list").is_empty(), "{said}");
                moving += 1;
            }
        }
        moving
    };
    // It begins while they run, and waits for the last.
    let waiting = async {
        let begun = async || (placed.get() >= ORDERS / 10).then_some(());
        until("orders run", begun).await;
        visitor.suite().audit("60s").await
    };
    let (orders, (moving, (code, said))) = join(placing, join(auditing, waiting)).await;
    assert_eq!(orders.len(), ORDERS);
    assert!(moving > 0, "every look found the suite at rest");
    assert_eq!(code, Some(0), "{said}");
    visitor.verdict().await;
    let (_, said) = visitor.suite().audit("0s").await;
    assert_eq!(said["invariants"][0]["figures"]["orders"], ORDERS);
}

pub(crate) async fn watch_tells_each_step_once_though_the_service_is_killed(visitor: Visitor) {
    let sku = visitor.product(1).await;
    // Long enough to be killed in the middle.
    visitor.faults(json!({"payment": {"outage": true}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let mut command = visitor.suite().quintet();
    command.args(["watch", &order.to_string()]).stdout(Stdio::piped());
    let mut watch = command.spawn().expect("quintet runs");
    let (send, told) = mpsc::channel();
    let stdout = BufReader::new(watch.stdout.take().expect("a pipe"));
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let next = || told.recv_timeout(PATIENCE).expect("it goes on");
    let mut lines = vec![next(), next()];
    visitor.suite().kill(&["order"]).await;
    visitor.faults(json!({})).await;
    visitor.until_ended(order, "completed").await;
    while lines.last().is_some_and(|line| line["status"].is_null()) {
        lines.push(next());
    }
    assert!(watch.wait().expect("it ends").success());
    let end = lines.pop().expect("how it ended");
    assert_eq!((&end["status"], &end["mails_told"]), (&"completed".into(), &2.into()), "{end}");
    let seqs: Vec<i64> = lines.iter().filter_map(|line| line["seq"].as_i64()).collect();
    // An event of payment's or inventory's may come in after the end has been told.
    assert_eq!(seqs, (1..).take(lines.len()).collect::<Vec<_>>());
    assert!((5..=7).contains(&seqs.len()), "{seqs:?}");
    assert!(end["trace_id"].is_string(), "{end}");
    visitor.verdict().await;
}

pub(crate) async fn orders_are_listed_by_where_they_stand(visitor: Visitor) {
    let sku = visitor.product(200).await;
    let kind = |nth| match nth % 3 {
        0 => NewOrder::of(&sku).token("tok_declined"),
        _ => NewOrder::of(&sku),
    };
    let placed = visitor.place_all((0..120).map(kind).collect(), |_| {}).await;
    for &order in &placed {
        visitor.until(order, "ended", OrderView::has_ended).await;
    }
    let list = async |arguments: &[&str]| -> Vec<String> {
        let (code, mut said) = visitor.suite().ask(&[&["orders"], arguments].concat()).await;
        assert_eq!(code, Some(0));
        let orders = said.pop().expect("a list")["orders"].take();
        let orders = orders.as_array().expect("a list").clone();
        orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()).collect()
    };
    let mut expected: Vec<String> = placed.iter().map(ToString::to_string).collect();
    expected.sort();
    expected.reverse();
    // More than a page.
    assert_eq!(list(&["--limit", "1000"]).await, expected);
    assert_eq!(list(&["--limit", "110"]).await, expected[..110]);
    assert_eq!(list(&["--status", "cancelled", "--limit", "1000"]).await.len(), 40);
    assert_eq!(list(&["--status", "completed", "--limit", "1000"]).await.len(), 80);
    assert!(list(&["--status", "placed"]).await.is_empty());
    visitor.verdict().await;
}
