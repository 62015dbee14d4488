//! A sixth service in a suite's file is a service of the suite like the others.

use std::{fs, path::Path, sync::Arc};

use scenarios::{Backend, NewOrder, Options, TestSuite, Visitor};

/// The usual file with loyalty in it.
fn manifest(folder: &Path) -> std::path::PathBuf {
    let program = env!("CARGO_BIN_EXE_quintet-loyalty");
    let loyalty =
        format!("\n[[services]]\nname = \"loyalty\"\nport = 8085\nstart = [{program:?}]\n");
    let file = folder.join("suite.toml");
    fs::write(&file, scenarios::manifest() + &loyalty).expect("it is written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_started_stopped_killed_shown_and_audited() {
    let temp = tempfile::tempdir().expect("a folder");
    let suite = TestSuite::start(Options::on(&Backend::Files).manifest(&manifest(temp.path())));
    let visitor = Visitor::of(Arc::new(suite));
    let suite = visitor.suite();
    let pid = suite.pid("loyalty").expect("it runs");
    assert!(suite.up_json_text("/loyalty/database").ends_with("/loyalty.db"));

    let sku = visitor.product(100).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    suite.stop_program("loyalty").await;
    assert_eq!(suite.pid("loyalty"), None);
    let (code, verdict) = suite.audit("0s").await;
    let waiting = verdict["waiting"].to_string();
    assert!(code == Some(2) && waiting.contains("loyalty is stopped"), "{verdict}");
    suite.start_program("loyalty").await;
    assert_ne!(suite.pid("loyalty"), Some(pid));

    // Each seed strikes other processes, this one too before long.
    let mut struck = false;
    for seed in 1..=10 {
        if struck {
            break;
        }
        let seed = seed.to_string();
        let (code, said) = suite.run_quintet(&["chaos", "--seconds", "6", "--seed", &seed]).await;
        assert_eq!(code, Some(0), "{said:?}");
        struck = said.last().expect("a report")["totals"].to_string().contains("loyalty");
    }
    assert!(struck, "chaos leaves it alone");
    let (code, verdict) = suite.audit("30s").await;
    assert_eq!(code, Some(0), "{verdict}");
}
