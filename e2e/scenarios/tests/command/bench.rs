//! `quintet bench`: not how fast anything is, but that it measures all that it should.

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

/// Runs it with these arguments as well; tells its exit code and what it measured.
async fn bench(visitor: &Visitor, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, mut said) = visitor.suite().ask(&[&QUICK, arguments].concat()).await;
    (code, said.pop().expect("figures"))
}

/// Everything has a figure, and it is one that could be.
fn is_whole(run: &Value) {
    let figure = |pointer: &str| {
        let found = run.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no figure at {pointer}: {run}"))
    };
    let positive = [
        "/disk/before/p50",
        "/disk/after/max",
        "/throughput/per_second",
        "/throughput/accepted_seconds",
        "/throughput/per_order/turns",
        "/throughput/per_order/cpu_micros_without_the_load",
        "/latency/accepted/p50",
        "/latency/ended/completed/p99",
        "/latency/ended/cancelled/max",
        "/latency/turn_seconds",
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
    // A completed order has seven events, one out of stock four, each of them read by one at least.
    let emitted = figure("/throughput/per_order/events_emitted");
    assert!((4.0..=9.0).contains(&emitted), "{run}");
    assert!(figure("/throughput/per_order/events_received") > emitted, "{run}");
    assert_eq!(run["audit"]["verdict"], "sound", "{run}");
}

pub(crate) async fn orders_beside_poisoned_ones_are_measured(visitor: Visitor) {
    let (port, beside) = (visitor.suite().port_beside(), visitor.suite().backend_beside());
    let mut arguments = vec!["--poisoned=5", "--backoff-max=1s", "--port", &port];
    arguments.extend(beside.iter().map(String::as_str));
    let (code, said) = bench(&visitor, &arguments).await;
    assert_eq!(code, Some(0), "{said}");
    let kinds = said["isolation"].as_array().expect("a list");
    assert_eq!(kinds.len(), 11, "{said}");
    for kind in kinds {
        for orders in ["alone", "beside"] {
            assert_eq!(kind[orders]["count"], 20, "{kind}");
            assert!(kind[orders]["p99"].as_f64().is_some_and(|it| it > 0.0), "{kind}");
        }
    }
    assert_eq!(said["audit"]["verdict"], "sound", "{said}");
}

pub(crate) async fn two_clean_suites_are_measured_and_compared(visitor: Visitor) {
    let (port, beside) = (visitor.suite().port_beside(), visitor.suite().backend_beside());
    let mut arguments = vec!["--compare=batch=1", "--port", &port];
    arguments.extend(beside.iter().map(String::as_str));
    let (code, said) = bench(&visitor, &arguments).await;
    assert_eq!(code, Some(0), "{said}");
    let runs = said["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 2);
    for run in runs {
        is_whole(run);
        assert_eq!(run["audit"]["invariants"][0]["figures"]["accepted"], 100, "{run}");
        assert_eq!(run["audit"]["invariants"][0]["figures"]["orders"], 100, "{run}");
    }
    let title = runs[1]["title"].as_str().expect("a title");
    assert!(title.ends_with(", engine.batch=1"), "{title}");
    for figure in ["orders_per_second", "cpu_per_order", "turns_per_order", "p50", "p99"] {
        assert!(said["ratio"][figure].as_f64().is_some_and(|it| it > 0.0), "{figure}: {said}");
    }
    // With one input in each, there are as many batches as inputs; else there cannot be more.
    let turns = |run: &Value| run["throughput"]["per_order"]["turns"].as_f64();
    assert!(turns(&runs[1]) > turns(&runs[0]), "{said}");
}

pub(crate) async fn a_running_suite_is_measured_and_left_running(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let (code, said) = bench(&visitor, &["--running", "--backlog=30"]).await;
    assert_eq!(code, Some(0), "{said}");
    is_whole(&said["runs"][0]);
    assert!(said["runs"][0]["backlog"]["per_second"].as_f64().is_some_and(|it| it > 0.0), "{said}");
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
}
