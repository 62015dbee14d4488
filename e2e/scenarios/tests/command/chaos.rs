//! `quintet chaos`: the suite keeps its promises to customers in spite of all strikes.

use std::{fs, path::Path};

use futures::future::join;
use scenarios::{TestSuite, Visitor, services, until};
use serde_json::Value as Json;

/// A run of a few seconds.
const SMALL: [&str; 3] = ["chaos", "--seconds=8", "--orders=160"];

/// Runs chaos on a data directory, asserts that it succeeds, and returns its report.
async fn run_chaos(suite: &TestSuite, data: &Path, arguments: &[&str]) -> Json {
    let (code, mut lines) = suite.run_quintet_on(data, &[&SMALL, arguments].concat()).await;
    let report = lines.pop().expect("a report");
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["audit"]["result"], "sound", "{report:#}");
    assert_eq!(report["orders"]["accepted"], 160, "{report:#}");
    let first = &report["audit"]["invariants"][0]["figures"];
    assert_eq!((&first["accepted"], &first["open"]), (&160.into(), &0.into()), "{report:#}");
    let strikes = report["strikes"].as_array().expect("a list");
    assert!(strikes.iter().all(|strike| strike["failed"].is_null()), "{report:#}");
    report
}

fn count(report: &Json, pointer: &str) -> i64 {
    let count = report.pointer(pointer).and_then(Json::as_i64);
    count.unwrap_or_else(|| panic!("{pointer}: {report:#}"))
}

pub(crate) async fn killed_stopped_and_restarted_processes_lose_nothing(visitor: Visitor) {
    let suite = visitor.suite();
    let report = run_chaos(suite, suite.folder(), &["--seed=8"]).await;
    assert!(count(&report, "/totals/kill/processes") >= 3, "{report:#}");
    let cancelled = count(&report, "/orders/cancellations/taken");
    assert!(cancelled + count(&report, "/orders/cancellations/too_late") > 0, "{report:#}");
    // All services run, and no fault is left.
    for service in services() {
        assert!(suite.pid(service).is_some(), "{service} does not run");
    }
    let faults: Json = visitor.get(&format!("{}/faults", suite.up_json_text("/sandbox/url"))).await;
    assert_eq!(faults["payment"]["outage"], false, "{faults}");
}

pub(crate) async fn the_broker_is_killed_and_started_by_the_users_command(visitor: Visitor) {
    let suite = visitor.suite();
    // The command asks this test for the restart by a file, and waits until the test has removed it.
    let request = suite.folder().join("restart-the-broker");
    let command = format!("touch {0}; while [ -e {0} ]; do sleep 0.1; done", request.display());
    let restarting = async {
        until("a restart of the broker is requested", async || request.exists().then_some(()))
            .await;
        suite.broker().stop();
        suite.broker().go_on();
        fs::remove_file(&request).expect("the file exists");
    };
    let options = ["--seed=27", "--restart-kafka", &command];
    let (report, ()) = join(run_chaos(suite, suite.folder(), &options), restarting).await;
    assert_eq!(count(&report, "/totals/kafka/strikes"), 1, "{report:#}");
}

/// The user's commands reach a suite that `quintet up` does not supervise. In this test `up.json` names no supervisor, but the
/// launcher supervises the suite all the same and restarts the killed processes.
pub(crate) async fn a_suite_without_supervisor_is_struck_by_the_users_commands(visitor: Visitor) {
    let (suite, folder) = (visitor.suite(), tempfile::tempdir().expect("a folder"));
    let mut up_json = suite.up_json();
    up_json["control"] = Json::Null;
    fs::write(folder.path().join("up.json"), up_json.to_string()).expect("a file");
    let (up, killed) = (suite.folder().join("up.json"), folder.path().join("killed"));
    let python = "import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][\"pid\"])";
    let kill = format!(
        "echo {{service}} >> {}; kill -9 $(python3 -c '{python}' {} {{service}}) || true",
        killed.display(),
        up.display()
    );
    let options = ["--seed=1", "--kill-with", &kill, "--start-with", "true {service}"];
    let report = run_chaos(suite, folder.path(), &options).await;
    let killed = fs::read_to_string(killed).expect("some were killed");
    let processes = count(&report, "/totals/kill/processes");
    assert_eq!(i64::try_from(killed.lines().count()).expect("a few"), processes);
    assert!(processes >= 3, "{report:#}");
    let pauses = &report["totals"]["pause"];
    assert!(pauses.is_null(), "no command pauses a program: {report:#}");
}
