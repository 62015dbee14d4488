//! The code on `docs/how-to/add-a-service.md` is that of `e2e/loyalty`, and its commands do what the page says.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use scenarios::{Backend, NewOrder, Options, TestSuite, Visitor, until};

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/add-a-service.md");
    fs::read_to_string(page).expect("the page")
}

/// The code blocks in this language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let begun = page.split(&fence).skip(1);
    begun.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else {
            into.push_str(&fs::read_to_string(&path).expect("a text"));
        }
    }
}

#[test]
fn the_code_on_the_page_is_that_of_the_service() {
    let mut code = String::new();
    for folder in ["src", "tests", "migrations"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut code);
    }
    let page = page();
    let blocks = [blocks(&page, "rust"), blocks(&page, "sql")].concat();
    assert_eq!(blocks.len(), 9);
    for block in blocks {
        assert!(code.contains(&block), "not in e2e/loyalty:\n{block}");
    }
}

/// The usual manifest plus the page's service, which is started from the folder where it was built.
fn manifest(page: &str, folder: &Path) -> PathBuf {
    let [loyalty] = &blocks(page, "toml")[..] else { panic!("the page adds one service") };
    let built = "target/debug/quintet-loyalty";
    assert!(loyalty.contains(built), "{loyalty}");
    let loyalty = loyalty.replace(built, env!("CARGO_BIN_EXE_quintet-loyalty"));
    let file = folder.join("suite.toml");
    fs::write(&file, format!("{}\n{loyalty}", scenarios::manifest())).expect("a written manifest");
    file
}

#[test]
fn the_copy_that_the_page_makes_has_the_new_name_throughout() {
    let temp = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(temp.path().join("services")).expect("a folder");
    fs::create_dir_all(temp.path().join("e2e")).expect("a folder");
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(here).arg(temp.path().join("e2e"));
    assert!(copy.status().expect("cp runs").success());
    let script = format!("set -eu\n{}", blocks(&page(), "sh")[0]);
    let ran = Command::new("sh").args(["-c", &script]).current_dir(temp.path()).status();
    assert!(ran.expect("sh runs").success(), "{script}");

    let fraud = temp.path().join("services/fraud");
    let mut all = String::new();
    sources(&fraud, &mut all);
    let left: Vec<&str> = all.lines().filter(|line| line.contains("oyalty")).collect();
    assert_eq!(left, Vec::<&str>::new());
    for part in ["quintet-fraud", "FraudService", "QUINTET_FRAUD__", "127.0.0.1:8086"] {
        assert!(all.contains(part), "{part}");
    }
    assert!(fraud.join("migrations/sqlite/1000_fraud.sql").exists());
    assert!(!all.contains("scenarios"), "the copy depends on a crate that is not beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_on_the_page_do_what_it_says() {
    let page = page();
    let commands = blocks(&page, "sh");
    let (place, look) = commands[2].trim().split_once('\n').expect("two commands");
    let place = place.strip_prefix("cargo run -- ").expect("the command from a checkout");

    let temp = tempfile::tempdir().expect("a folder");
    let options = Options::on(&Backend::Files).manifest(&manifest(&page, temp.path()));
    let suite = TestSuite::start(options);
    let url = suite.up_json_text("/loyalty/url");
    let port = url.rsplit_once(':').expect("a port").1.to_owned();
    let visitor = Visitor::of(Arc::new(suite));
    let sku = visitor.product(100).await;

    let points = async || {
        let look = look.replace("8085", &port);
        let output = Command::new("sh").args(["-c", &look]).output().expect("curl runs");
        let response = String::from_utf8(output.stdout).expect("a text");
        response
            .split_once("\"points\":")
            .and_then(|(_, rest)| rest.trim_end_matches('}').parse::<i64>().ok())
    };
    let place_order = || {
        let arguments = place.split(' ').chain(["--sku", sku.as_str()]);
        let status = visitor.suite().quintet().args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("quintet runs").success(), "{place}");
    };
    place_order();
    let mode = fs::metadata(visitor.suite().folder().join("loyalty.db")).expect("a database");
    assert_eq!(mode.mode() & 0o777, 0o600, "other users could read its rows");
    let first =
        until("points are counted", async || points().await.filter(|points| *points > 0)).await;

    // A killed service continues where it was, and a cancelled order does not count.
    visitor.suite().kill(&["loyalty"]).await;
    place_order();
    let refused = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(refused, "cancelled").await;
    until("the second order is counted", async || {
        points().await.filter(|points| *points == 2 * first)
    })
    .await;

    // After the rewind the service reads all events again and recognises them as duplicates.
    for line in commands[3].trim().lines() {
        let command = line.strip_prefix("cargo run -- ").expect("the command");
        let arguments = command.split(' ');
        let status = visitor.suite().quintet().args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("quintet runs").success(), "{command}");
    }
    let admin = visitor.suite().up_json_text("/loyalty/admin_url");
    until("it has read everything again", async || {
        let status = reqwest::get(format!("{admin}/admin/status")).await.ok()?;
        let status: Option<Status> = status.json().await.ok();
        status.filter(|status| status.duplicates > 0 && status.lag == Some(0))
    })
    .await;
    assert_eq!(points().await, Some(2 * first));
    let (code, report) = visitor.suite().audit("30s").await;
    assert_eq!(code, Some(0), "{report}");
}

/// The status that the service's admin listener shows.
#[derive(serde::Deserialize)]
struct Status {
    duplicates: u64,
    lag: Option<i64>,
}
