//! `docs/how-to/add-a-service.md` says what `e2e/loyalty` is, and its commands do what it says.

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
    fs::read_to_string(page).expect("the page is there")
}

/// The blocks of this language, in order.
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
fn the_code_on_the_page_is_the_services() {
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

/// The usual manifest with the page's service in it, started from where it was built.
fn manifest(page: &str, folder: &Path) -> PathBuf {
    let [loyalty] = &blocks(page, "toml")[..] else { panic!("one service is added") };
    let built = "target/debug/quintet-loyalty";
    assert!(loyalty.contains(built), "{loyalty}");
    let loyalty = loyalty.replace(built, env!("CARGO_BIN_EXE_quintet-loyalty"));
    let file = folder.join("suite.toml");
    fs::write(&file, format!("{}\n{loyalty}", scenarios::manifest())).expect("it is written");
    file
}

#[test]
fn the_copy_that_the_page_makes_is_of_another_name_throughout() {
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
    assert!(!all.contains("scenarios"), "it would be looked for beside the copy");
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
        let said = Command::new("sh").args(["-c", &look]).output().expect("curl runs");
        let said = String::from_utf8(said.stdout).expect("a text");
        said.split_once("\"points\":")
            .and_then(|(_, rest)| rest.trim_end_matches('}').parse::<i64>().ok())
    };
    let placed = || {
        let arguments = place.split(' ').chain(["--sku", sku.as_str()]);
        let status = visitor.suite().quintet().args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("quintet runs").success(), "{place}");
    };
    placed();
    let mode = fs::metadata(visitor.suite().folder().join("loyalty.db")).expect("a database");
    assert_eq!(mode.mode() & 0o777, 0o600, "others could read its rows");
    let first =
        until("points are counted", async || points().await.filter(|points| *points > 0)).await;

    // Killed in between, it goes on where it was; a cancelled order does not count.
    visitor.suite().kill(&["loyalty"]).await;
    placed();
    let refused = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(refused, "cancelled").await;
    until("the second order is counted", async || {
        points().await.filter(|points| *points == 2 * first)
    })
    .await;

    // It reads everything again and recognises it.
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
        status.filter(|it| it.duplicates > 0 && it.lag == Some(0))
    })
    .await;
    assert_eq!(points().await, Some(2 * first));
    let (code, verdict) = visitor.suite().audit("30s").await;
    assert_eq!(code, Some(0), "{verdict}");
}

/// What its admin listener says.
#[derive(serde::Deserialize)]
struct Status {
    duplicates: u64,
    lag: Option<i64>,
}
