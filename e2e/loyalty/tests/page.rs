//! `docs/add-a-service.md` says what `e2e/loyalty` is, and its commands do what it says.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use scenarios::{Backend, NewOrder, Options, Suite, Visitor, until};

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/add-a-service.md");
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
    assert_eq!(blocks.len(), 8);
    for block in blocks {
        assert!(code.contains(&block), "not in e2e/loyalty:\n{block}");
    }
}

/// The service, until the test ends.
struct Loyalty(Child);

impl Loyalty {
    /// Stops it in order, as Ctrl-C does: only then does the bus know how far it has read.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(told.success());
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Loyalty {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page's first command, on this suite's bus and on this port.
fn start(suite: &Suite, port: u16) -> Loyalty {
    let bus = suite.says("/bus/url");
    let folder = Path::new(bus.strip_prefix("log:").expect("the log")).parent().expect("a folder");
    let child = Command::new(env!("CARGO_BIN_EXE_quintet-loyalty"))
        .env("QUINTET_LOYALTY__LISTEN", format!("127.0.0.1:{port}"))
        .env("QUINTET_LOYALTY__ADMIN_LISTEN", format!("127.0.0.1:{}", port + 100))
        .env("QUINTET_LOYALTY__DATABASE__URL", format!("sqlite:{}/loyalty.db", folder.display()))
        .env("QUINTET_LOYALTY__BUS__URL", &bus)
        .stderr(Stdio::null())
        .spawn()
        .expect("the service starts");
    Loyalty(child)
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
    let commands = blocks(&page(), "sh");
    assert_eq!(commands[1].trim(), "cargo run -p loyalty");
    let (place, look) = commands[2].trim().split_once('\n').expect("two commands");
    let place = place.strip_prefix("cargo run -- ").expect("the command from a checkout");

    let suite = Suite::start(Options::on(&Backend::Files));
    let order: u16 =
        suite.says("/order/url").rsplit_once(':').expect("a port").1.parse().expect("a port");
    // The suite's block of ports goes on behind its sandbox's.
    let port = order + 50;
    let loyalty = start(&suite, port);
    let visitor = Visitor::of(Arc::new(suite));
    let sku = visitor.product(100).await;

    let points = async || {
        let look = look.replace("8085", &port.to_string());
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

    // Killed in between, it takes up where it was; what is cancelled does not count.
    drop(loyalty);
    placed();
    let refused = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(refused, "cancelled").await;
    let loyalty = start(visitor.suite(), port);
    until("the second order is counted", async || {
        points().await.filter(|points| *points == 2 * first)
    })
    .await;
    loyalty.stop();

    // It reads everything again and recognises it.
    let rewind = commands[3].trim().strip_prefix("cargo run -- ").expect("the command");
    let status = visitor.suite().quintet().args(rewind.split(' ')).stdout(Stdio::null()).status();
    assert!(status.expect("quintet runs").success(), "{rewind}");
    let _loyalty = start(visitor.suite(), port);
    until("it has read everything again", async || {
        let status = format!("http://127.0.0.1:{}/admin/status", port + 100);
        let status: Option<Status> = reqwest::get(&status).await.ok()?.json().await.ok();
        status.filter(|it| it.duplicates > 0 && it.lag == Some(0))
    })
    .await;
    assert_eq!(points().await, Some(2 * first));
}

/// What its admin listener says.
#[derive(serde::Deserialize)]
struct Status {
    duplicates: u64,
    lag: Option<i64>,
}
