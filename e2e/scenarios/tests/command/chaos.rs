//! `quintet chaos`: whatever it does, what customers were promised is kept.

use std::{fs, path::Path};

use futures::future::join;
use scenarios::{Suite, Visitor, services, until};
use serde_json::Value as Json;

/// Fits into a few seconds.
const SMALL: [&str; 3] = ["chaos", "--seconds=8", "--orders=160"];

/// Says what came of a run on a data directory, which must have gone well.
async fn played(suite: &Suite, data: &Path, more: &[&str]) -> Json {
    let (code, mut said) = suite.ask_on(data, &[&SMALL, more].concat()).await;
    let said = said.pop().expect("a report");
    assert_eq!(code, Some(0), "{said:#}");
    assert_eq!(said["audit"]["verdict"], "sound", "{said:#}");
    assert_eq!(said["orders"]["accepted"], 160, "{said:#}");
    let first = &said["audit"]["invariants"][0]["figures"];
    assert_eq!((&first["accepted"], &first["open"]), (&160.into(), &0.into()), "{said:#}");
    let strikes = said["strikes"].as_array().expect("a list");
    assert!(strikes.iter().all(|strike| strike["failed"].is_null()), "{said:#}");
    said
}

fn count(said: &Json, pointer: &str) -> i64 {
    said.pointer(pointer).and_then(Json::as_i64).unwrap_or_else(|| panic!("{pointer}: {said:#}"))
}

pub(crate) async fn what_is_killed_stopped_and_restarted_loses_nothing(visitor: Visitor) {
    let suite = visitor.suite();
    let said = played(suite, suite.folder(), &["--seed=8"]).await;
    assert!(count(&said, "/totals/kill/processes") >= 3, "{said:#}");
    let cancelled = count(&said, "/orders/cancellations/taken");
    assert!(cancelled + count(&said, "/orders/cancellations/too_late") > 0, "{said:#}");
    // Everything is as it was before.
    for service in services() {
        assert!(suite.pid(service).is_some(), "{service} does not run");
    }
    let faults: Json = visitor.get(&format!("{}/faults", suite.says("/sandbox/url"))).await;
    assert_eq!(faults["payment"]["outage"], false, "{faults}");
}

pub(crate) async fn the_broker_is_killed_and_started_by_the_users_command(visitor: Visitor) {
    let suite = visitor.suite();
    let wish = suite.folder().join("broker-wished");
    let command = format!("touch {0}; while [ -e {0} ]; do sleep 0.1; done", wish.display());
    let restarting = async {
        until("the broker's restart is wished", async || wish.exists().then_some(())).await;
        suite.broker().stop();
        suite.broker().go_on();
        fs::remove_file(&wish).expect("the wish is granted");
    };
    let options = ["--seed=27", "--restart-kafka", &command];
    let (said, ()) = join(played(suite, suite.folder(), &options), restarting).await;
    assert_eq!(count(&said, "/totals/kafka/strikes"), 1, "{said:#}");
}

/// A suite that `quintet up` does not supervise is reached by the user's commands. Here somebody else
/// supervises it, who starts again what dies.
pub(crate) async fn what_others_run_is_killed_by_the_users_commands(visitor: Visitor) {
    let (suite, folder) = (visitor.suite(), tempfile::tempdir().expect("a folder"));
    let mut file = suite.file();
    file["control"] = Json::Null;
    fs::write(folder.path().join("up.json"), file.to_string()).expect("a file");
    let (up, killed) = (suite.folder().join("up.json"), folder.path().join("killed"));
    let python = "import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][\"pid\"])";
    let kill = format!(
        "echo {{service}} >> {}; kill -9 $(python3 -c '{python}' {} {{service}}) || true",
        killed.display(),
        up.display()
    );
    let options = ["--seed=1", "--kill-with", &kill, "--start-with", "true {service}"];
    let said = played(suite, folder.path(), &options).await;
    let killed = fs::read_to_string(killed).expect("some were killed");
    let processes = count(&said, "/totals/kill/processes");
    assert_eq!(i64::try_from(killed.lines().count()).expect("a few"), processes);
    assert!(processes >= 3, "{said:#}");
    assert!(said["totals"]["pause"].is_null(), "nobody said how: {said:#}");
}
