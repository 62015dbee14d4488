//! `quintet` with real processes: its life, its deaths, and what it leaves behind.

use crate::fake::{self, PROGRAMS, Suite, alive, kill_9, text, until};
use serde_json::Value;
use std::fs;

#[tokio::test]
async fn up_starts_everything_lists_demo_products_and_ends_with_its_leash() {
    let suite = Suite::new();
    let mut up = suite.running().await;

    let report: Value = serde_json::from_str(&up.stdout()).unwrap();
    assert_eq!(report, suite.up_json());
    assert_eq!(report["order"]["url"], format!("http://127.0.0.1:{}", suite.port));
    assert_eq!(report["bus"]["kind"], "log");
    assert_eq!(report["pid"], up.child.id());
    for program in PROGRAMS {
        assert_eq!(report[program]["pid"], suite.pids(program)[0], "{program}");
    }
    let listed: Vec<String> = suite.world.lock().unwrap().products.iter().cloned().collect();
    assert_eq!(listed, ["kettle", "lamp", "mug", "tea"]);
    let keys = suite.world.lock().unwrap().stock_keys.clone();
    assert_eq!(keys, ["demo-mug", "demo-tea", "demo-kettle", "demo-lamp"]);

    drop(up.child.stdin.take());
    assert_eq!(up.ended().await, Some(0));
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} is still there");
    }
    assert!(!suite.data().join("up.json").exists());
}

#[tokio::test]
async fn a_stopped_service_stays_down_until_it_is_started() {
    let suite = Suite::new();
    let up = suite.running().await;
    let first = suite.pids("payment")[0];

    let stopped = suite.run(&["stop", "payment"]).await;
    assert_eq!(text(&stopped.stdout), "payment is stopped\n");
    assert!(!alive(first));
    assert_eq!(suite.up_json()["payment"]["pid"], Value::Null);
    assert_eq!(suite.up_json()["payment"]["replicas"][0]["pid"], Value::Null);

    let started = suite.run(&["start", "payment", "--json"]).await;
    let status: Value = serde_json::from_slice(&started.stdout).unwrap();
    until("payment runs again", || suite.pids("payment").len() == 2).await;
    assert_eq!(status["payment"]["pid"], suite.pids("payment")[1]);
    assert_eq!(suite.up_json()["payment"], status["payment"]);
    assert!(!up.stderr().contains("died"), "{}", up.stderr());
}

#[tokio::test]
async fn what_dies_is_restarted_with_a_warning() {
    let suite = Suite::new();
    let up = suite.running().await;
    kill_9(suite.pids("shipping")[0]);
    until("shipping runs again", || suite.pids("shipping").len() == 2).await;
    let warning = "quintet: shipping died (signal 9), restarting in 0.1 s; see ";
    assert!(up.stderr().contains(warning), "{}", up.stderr());
    assert_eq!(suite.up_json()["shipping"]["pid"], suite.pids("shipping")[1]);
}

#[tokio::test]
async fn a_service_that_refuses_to_run_is_left_down_and_can_be_tried_again() {
    let suite = Suite::new();
    let up = suite.running().await;
    suite.world.lock().unwrap().not_ready.insert("payment");
    suite.let_exit("payment", 64);
    kill_9(suite.pids("payment")[0]);
    until("payment refuses", || up.stderr().contains("payment refuses to run")).await;
    assert!(up.stderr().contains("logs/payment.log"), "{}", up.stderr());
    assert_eq!(suite.up_json()["payment"]["pid"], Value::Null);

    let again = suite.run(&["start", "payment"]).await;
    assert_eq!(again.status.code(), Some(1));
    let said = text(&again.stderr);
    assert!(said.starts_with("quintet: payment refuses to run (exit code 64)"), "{said}");
    assert!(said.contains("the data is wrong"), "{said}");

    fs::remove_file(suite.temp.path().join("payment.exit")).unwrap();
    suite.world.lock().unwrap().not_ready.clear();
    assert!(suite.run(&["start", "payment"]).await.status.success());
}

#[tokio::test]
async fn a_service_that_refuses_at_the_start_ends_the_suite_with_its_log() {
    let suite = Suite::new();
    suite.let_exit("inventory", 64);
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let said = up.stderr();
    assert!(
        said.contains("inventory refuses to run") && said.contains("the data is wrong"),
        "{said}"
    );
    for pid in suite.pids("order") {
        assert!(!alive(pid));
    }
    assert!(!suite.data().join("up.json").exists());
}

#[tokio::test]
async fn children_end_with_a_killed_launcher_and_the_next_one_takes_over() {
    let suite = Suite::new();
    let mut up = suite.running().await;
    up.kill();
    let stale = suite.run(&["stop", "payment"]).await;
    assert_eq!(stale.status.code(), Some(1));
    let said = text(&stale.stderr);
    assert!(said.starts_with("quintet: no suite is running on "), "{said}");
    assert!(said.contains("start one with `quintet up --data "), "{said}");
    suite.stop_serving().await;

    let next = suite.up(&[]);
    suite.until_all_ran(2).await;
    for program in PROGRAMS {
        assert!(!alive(suite.pids(program)[0]), "{program} of the killed suite is still there");
    }
    suite.serve().await;
    until("up is ready", || next.stdout().ends_with('\n')).await;
    assert!(next.stdout().starts_with("Quintet is up, on the log and SQLite."));
}

#[tokio::test]
async fn a_second_suite_on_the_same_directory_is_refused() {
    let suite = Suite::new();
    let up = suite.running().await;
    let second = suite.run(&["up"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("is in use by another `quintet up`"), "{said}");
    assert!(said.contains(&format!("pid {}", up.child.id())), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_starts() {
    let suite = Suite::new();
    let _held = std::net::TcpListener::bind(("127.0.0.1", suite.port + 3)).unwrap();
    let mut up = suite.up(&[]);
    assert_eq!(up.ended().await, Some(1));
    let said = up.stderr();
    assert!(said.contains(&format!("port {} for shipping: ", suite.port + 3)), "{said}");
    assert!(said.contains("--port") && suite.pids("order").is_empty(), "{said}");
}

#[tokio::test]
async fn fresh_begins_without_what_was_there() {
    let suite = Suite::new();
    let data = suite.data();
    fs::create_dir_all(data.join("logs")).unwrap();
    for name in ["order.db", "bus.db-wal", "logs/order.log", "mine.txt"] {
        fs::write(data.join(name), "old").unwrap();
    }
    let up = suite.up(&["--fresh"]);
    suite.until_all_ran(1).await;
    let expected = ["logs", "mine.txt", "up.json", "up.lock"].map(str::to_owned);
    assert_eq!(fake::names(&data), expected.into());
    let log = fs::read_to_string(data.join("logs/order.log")).unwrap();
    assert_eq!(log, format!("order runs on 127.0.0.1:{}\n", suite.port));
    drop(up);
}
