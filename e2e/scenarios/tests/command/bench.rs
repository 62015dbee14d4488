//! `quintet bench`: it reports all figures. The tests say nothing of how fast a suite is.

use scenarios::{NewOrder, Visitor};
use serde_json::Value;

const QUICK: [&str; 8] = [
    "bench",
    "--orders=60",
    "--warm-up=20",
    "--concurrency=8",
    "--rate=20",
    "--seconds=1",
    "--idle=200ms",
    "--mix=completed=7,declined=1,refused=1,out-of-stock=1",
];

/// Runs `quintet bench` with these arguments beside the quick ones. Returns its exit code and its report.
async fn bench(visitor: &Visitor, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, mut lines) = visitor.suite().run_quintet(&[&QUICK, arguments].concat()).await;
    (code, lines.pop().expect("a report"))
}

/// Asserts that a run has all figures, and that they are plausible.
fn assert_complete(run: &Value) {
    let figure = |pointer: &str| {
        let figure = run.pointer(pointer).and_then(Value::as_f64);
        figure.unwrap_or_else(|| panic!("no figure at {pointer}: {run}"))
    };
    let positive = [
        "/disk/before/p50",
        "/disk/after/max",
        "/throughput/per_second",
        "/throughput/accepted_seconds",
        "/throughput/per_order/batches",
        "/throughput/per_order/cpu_micros_without_the_load",
        "/latency/accepted/p50",
        "/latency/ended/completed/p99",
        "/latency/ended/cancelled/max",
        "/latency/batch_seconds",
        "/idle/processes/order/resident_bytes",
    ];
    for pointer in positive {
        assert!(figure(pointer) > 0.0, "{pointer}: {run}");
    }
    for party in ["order", "inventory", "payment", "shipping", "notification", "sandbox", "load"] {
        assert!(figure(&format!("/throughput/per_order/cpu_micros/{party}")) >= 0.0, "{run}");
        assert!(figure(&format!("/idle/processes/{party}/cores")) >= 0.0, "{run}");
    }
    assert_eq!(
        (&run["throughput"]["orders"], &run["latency"]["ended"]["ended"]["count"]),
        (&60.into(), &20.into())
    );
    // A completed order has seven events, one that is out of stock has four. At least one service reads each event.
    let emitted = figure("/throughput/per_order/events_emitted");
    assert!((4.0..=9.0).contains(&emitted), "{run}");
    assert!(figure("/throughput/per_order/events_received") > emitted, "{run}");
    assert_eq!(run["audit"]["result"], "sound", "{run}");
}

pub(crate) async fn orders_beside_poisoned_ones_are_measured(visitor: Visitor) {
    let (port, backend) = (visitor.suite().second_port(), visitor.suite().second_backend());
    let mut arguments = vec!["--poisoned=5", "--backoff-max=1s", "--port", &port];
    arguments.extend(backend.iter().map(String::as_str));
    let (code, report) = bench(&visitor, &arguments).await;
    assert_eq!(code, Some(0), "{report}");
    let rows = report["isolation"].as_array().expect("a list");
    assert_eq!(rows.len(), 11, "{report}");
    for row in rows {
        for orders in ["alone", "beside"] {
            assert_eq!(row[orders]["count"], 20, "{row}");
            assert!(row[orders]["p99"].as_f64().is_some_and(|p99| p99 > 0.0), "{row}");
        }
    }
    assert_eq!(report["audit"]["result"], "sound", "{report}");
}

pub(crate) async fn two_clean_suites_are_measured_and_compared(visitor: Visitor) {
    let (port, backend) = (visitor.suite().second_port(), visitor.suite().second_backend());
    let mut arguments = vec!["--compare=batch=1", "--port", &port];
    arguments.extend(backend.iter().map(String::as_str));
    let (code, report) = bench(&visitor, &arguments).await;
    assert_eq!(code, Some(0), "{report}");
    let runs = report["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_complete(run);
        assert_eq!(run["audit"]["invariants"][0]["figures"]["accepted"], 100, "{run}");
        assert_eq!(run["audit"]["invariants"][0]["figures"]["orders"], 100, "{run}");
    }
    let title = runs[1]["title"].as_str().expect("a title");
    assert!(title.ends_with(", engine.batch=1"), "{title}");
    for figure in ["orders_per_second", "cpu_per_order", "batches_per_order", "p50", "p99"] {
        let ratio = report["ratio"][figure].as_f64();
        assert!(ratio.is_some_and(|ratio| ratio > 0.0), "{figure}: {report}");
    }
    // With at most one input in a batch, there are more batches than with the default.
    let batches = |run: &Value| run["throughput"]["per_order"]["batches"].as_f64();
    assert!(batches(&runs[1]) > batches(&runs[0]), "{report}");
}

pub(crate) async fn a_running_suite_is_measured_and_left_running(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let (code, report) = bench(&visitor, &["--running", "--backlog=30"]).await;
    assert_eq!(code, Some(0), "{report}");
    let run = &report["runs"][0];
    assert_complete(run);
    assert!(run["backlog"]["per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{report}");
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
}
