//! A sixth service in a suite's manifest is treated like the other five.

use std::{fs, path::Path, sync::Arc};

use scenarios::{Backend, NewOrder, Options, TestSuite, Visitor};

/// The usual manifest plus the loyalty service.
fn manifest(folder: &Path) -> std::path::PathBuf {
    let program = env!("CARGO_BIN_EXE_quintet-loyalty");
    let loyalty =
        format!("\n[[services]]\nname = \"loyalty\"\nport = 8085\nstart = [{program:?}]\n");
    let file = folder.join("suite.toml");
    fs::write(&file, scenarios::manifest() + &loyalty).expect("a written manifest");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_service_is_started_stopped_killed_shown_and_audited() {
    let temp = tempfile::tempdir().expect("a folder");
    let suite = TestSuite::start(Options::on(&Backend::Files).manifest(&manifest(temp.path())));
    let visitor = Visitor::of(Arc::new(suite));
    let suite = visitor.suite();
    let pid = suite.pid("loyalty").expect("the pid of a running service");
    assert!(suite.up_json_text("/loyalty/database").ends_with("/loyalty.db"));

    let sku = visitor.product(100).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    suite.stop_program("loyalty").await;
    assert_eq!(suite.pid("loyalty"), None);
    let (code, report) = suite.audit("0s").await;
    let waiting = report["waiting"].to_string();
    assert!(code == Some(2) && waiting.contains("loyalty is stopped"), "{report}");
    suite.start_program("loyalty").await;
    assert_ne!(suite.pid("loyalty"), Some(pid));

    // Each seed kills other processes. Within ten seeds this one is among them.
    let mut is_struck = false;
    for seed in 1..=10 {
        if is_struck {
            break;
        }
        let seed = seed.to_string();
        let (code, lines) = suite.run_quintet(&["chaos", "--seconds", "6", "--seed", &seed]).await;
        assert_eq!(code, Some(0), "{lines:?}");
        is_struck = lines.last().expect("a report")["totals"].to_string().contains("loyalty");
    }
    assert!(is_struck, "chaos never strikes the service");
    let (code, report) = suite.audit("30s").await;
    assert_eq!(code, Some(0), "{report}");
}
