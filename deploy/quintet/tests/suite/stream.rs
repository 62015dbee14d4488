//! The rows that `quintet up` prints while the suite runs, and the logs that `quintet logs` prints.

use crate::fake::{FakeEvent, FakeSuite, Up, kill_9, order_id, text, until};
use contracts::EventType;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;

/// Starts `quintet up` on a bus with the topics of the contract, and waits until it is ready.
async fn with_a_bus(suite: &FakeSuite, arguments: &[&str]) -> Up {
    suite.create_bus().await;
    let up = suite.up(arguments);
    suite.until_all_ran(1).await;
    suite.serve().await;
    until("up is ready", || up.stdout().ends_with('\n')).await;
    up
}

fn event(of_type: EventType, key: &str, second: u8, data: Value) -> FakeEvent<'_> {
    FakeEvent { of_type, key, second, data }
}

/// An order that was placed, and cancelled two seconds later.
fn cancelled(id: &str) -> [FakeEvent<'_>; 2] {
    let address = json!({"name": "Ada Lovelace", "street": "Ring 1", "city": "Wien",
        "postal_code": "1010", "country": "AT"});
    let placed = json!({
        "order_id": id, "customer": {"email": "ada@example.com"}, "items": [],
        "shipping_address": address, "payment": {"token": "tok_ok"},
        "total": {"amount_minor": 1298, "currency": "EUR"},
    });
    let cancelled = json!({"order_id": id, "reason": "payment_declined"});
    [
        event(EventType::OrderPlaced, id, 7, placed),
        event(EventType::OrderCancelled, id, 9, cancelled),
    ]
}

#[tokio::test]
async fn up_prints_a_row_for_each_event_and_for_services_that_stop_and_start() {
    let suite = FakeSuite::new();
    suite.create_bus().await;
    suite.publish(&cancelled(&order_id(1))).await;
    let up = with_a_bus(&suite, &[]).await;
    suite.publish(&cancelled(&order_id(12))).await;
    let mail = json!({"order_id": order_id(12), "milestone": "cancelled", "message_id": "<1@q>"});
    suite.publish(&[event(EventType::NotificationSent, &order_id(12), 10, mail)]).await;
    let rows = [
        "09:08:07 order        OrderPlaced                00000012               12.98 EUR\n",
        "09:08:09 order        OrderCancelled             00000012         +2 s  payment_declined\n",
        "09:08:10 notification NotificationSent           00000012         +3 s  cancelled\n",
    ];
    until("up has printed the events", || up.stderr().contains(rows[2])).await;
    assert!(up.stderr().contains(&rows.concat()), "{}", up.stderr());
    assert!(!up.stderr().contains("00000001"), "an earlier event is printed: {}", up.stderr());
    for personal in ["Ada", "ada@", "Ring", "1010", "tok_ok"] {
        assert!(!up.stderr().contains(personal), "{personal} is printed: {}", up.stderr());
    }

    suite.run(&["stop", "payment"]).await;
    suite.run(&["start", "payment"]).await;
    let started = || format!(" payment      started (pid {})\n", suite.pids("payment")[1]);
    until("payment runs again", || suite.pids("payment").len() == 2).await;
    until("up has printed it", || up.stderr().contains(&started())).await;
    assert!(up.stderr().contains(" payment      stopped\n"), "{}", up.stderr());
    assert_eq!(up.stderr().matches("OrderPlaced").count(), 1);
}

#[tokio::test]
async fn more_events_than_a_person_can_read_are_summed_up() {
    let suite = FakeSuite::new();
    let up = with_a_bus(&suite, &[]).await;
    let ids: Vec<String> = (0..100).map(order_id).collect();
    let events: Vec<FakeEvent<'_>> = ids.iter().flat_map(|id| cancelled(id)).collect();
    suite.publish(&events).await;
    until("up has summed them up", || up.stderr().contains("… 180 more events: ")).await;
    let rows = up.stderr().lines().filter(|line| line.starts_with("09:08:")).count();
    assert_eq!(rows, 20, "{}", up.stderr());
}

#[tokio::test]
async fn up_says_once_that_the_bus_cannot_be_read_and_prints_its_events_later() {
    let suite = FakeSuite::new();
    let up = suite.up(&[]);
    suite.until_all_ran(1).await;
    suite.serve().await;
    until("up has said so", || up.stderr().contains("quintet: cannot show events: ")).await;
    suite.create_bus().await;
    let (id, row) = (order_id(12), "OrderPlaced                00000012");
    let mut sent = 0;
    // Only events after the next attempt are printed.
    while !up.stderr().contains(row) {
        assert!(sent < 1_000, "no event is printed: {}", up.stderr());
        suite.publish(&cancelled(&id)).await;
        sent += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(up.stderr().matches("cannot show events").count(), 1, "{}", up.stderr());
}

#[tokio::test]
async fn up_quiet_prints_no_events_and_no_services() {
    let suite = FakeSuite::new();
    suite.create_bus().await;
    for (quiet, times) in [("--quiet", 1), ("-q", 2)] {
        let mut up = suite.up(&["--json", quiet]);
        suite.until_all_ran(times).await;
        suite.serve().await;
        until("up is ready", || up.stdout().ends_with('\n')).await;
        suite.publish(&cancelled(&order_id(12))).await;
        suite.run(&["stop", "payment"]).await;
        drop(up.child.stdin.take());
        assert_eq!(up.ended().await, Some(0));
        for line in ["OrderPlaced", "payment "] {
            assert!(!up.stderr().contains(line), "{}", up.stderr());
        }
        suite.stop_serving().await;
    }
}

/// Appends a line to the log of a service.
fn log(suite: &FakeSuite, service: &str, line: &str) {
    let path = suite.data().join(format!("logs/{service}.log"));
    let mut file = File::options().append(true).create(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[tokio::test]
async fn logs_merges_the_files_of_a_suite_that_has_ended() {
    let suite = FakeSuite::new();
    drop(suite.running().await);
    let id = order_id(12);
    log(&suite, "payment", &format!("2026-01-01T00:00:02Z  WARN no answer aggregate_id={id}"));
    log(&suite, "order", &format!("{{\"timestamp\":\"2026-01-01T00:00:01Z\",\"order\":\"{id}\"}}"));
    log(&suite, "order", "2026-01-01T00:00:03Z  INFO other");
    let printed = async |arguments: &[&str]| {
        let output = suite.run(&[&["logs"], arguments].concat()).await;
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout).to_owned()
    };
    let expected = format!(
        "order        | {{\"timestamp\":\"2026-01-01T00:00:01Z\",\"order\":\"{id}\"}}\n\
         payment      | 2026-01-01T00:00:02Z  WARN no answer aggregate_id={id}\n"
    );
    assert_eq!(printed(&["--order", &id]).await, expected);
    assert_eq!(printed(&["--order", "00000012"]).await, expected);
    let all = printed(&["--tail", "0"]).await;
    assert!(all.contains("shipping     | shipping runs on "), "{all}");
    assert!(all.ends_with(&format!("{expected}order        | 2026-01-01T00:00:03Z  INFO other\n")));
    let of_order = printed(&["order", "--tail", "1", "--json"]).await;
    let line = json!({"process": "order", "line": "2026-01-01T00:00:03Z  INFO other"});
    assert_eq!(serde_json::from_str::<Value>(&of_order).unwrap(), line);

    let nothing = suite.run(&["logs", "--order", &order_id(1)]).await;
    let warning =
        format!("quintet: no line is about {}: services log what is unusual\n", order_id(1));
    assert_eq!((text(&nothing.stdout), text(&nothing.stderr)), ("", &*warning));

    let unknown = suite.run(&["logs", "paymnet"]).await;
    let error = "quintet: there is no paymnet in this suite: \
                 give one of order, inventory, payment, shipping, notification, sandbox\n";
    assert_eq!((unknown.status.code(), text(&unknown.stderr)), (Some(1), error));
}

#[tokio::test]
async fn logs_follows_a_service_over_its_restart_and_the_rotation_of_its_log() {
    let suite = FakeSuite::new();
    let _up = suite.running().await;
    let output = suite.temp.path().join("followed");
    let mut command = suite.command(&["logs", "-f", "--tail", "1", "payment", "order"]);
    let file = File::create(&output).unwrap();
    let mut follow = command.stdout(file).stderr(Stdio::null()).spawn().unwrap();
    let count = |line: &str| fs::read_to_string(&output).unwrap().matches(line).count();
    until("the last line is printed", || count("payment      | payment runs on ") == 1).await;
    kill_9(suite.pids("payment")[0]);
    until("payment runs again", || suite.pids("payment").len() == 2).await;
    until("its new line is printed", || count("payment      | payment runs on ") == 2).await;
    let path = suite.data().join("logs/payment.log");
    fs::rename(&path, path.with_extension("old")).unwrap();
    log(&suite, "payment", "after the rotation");
    until("it is printed", || count("payment      | after the rotation\n") == 1).await;
    assert_eq!(count("order        | order runs on "), 1);
    follow.kill().unwrap();
    follow.wait().unwrap();
}
