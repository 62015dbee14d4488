//! `docs/add-a-service.md` says what `e2e/loyalty` is, and its commands do what it says.

use std::{
    fs,
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
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
    let blocks = blocks(&page(), "rust");
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        assert!(code.contains(&block), "not in e2e/loyalty/src:\n{block}");
    }
}

/// The service, until the test ends.
struct Loyalty(Child);

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

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_on_the_page_do_what_it_says() {
    let commands = blocks(&page(), "sh");
    assert_eq!(commands[0].trim(), "cargo run -p loyalty");
    let (place, look) = commands[1].trim().split_once('\n').expect("two commands");
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
    drop(loyalty);
}
