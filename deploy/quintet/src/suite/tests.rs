//! What `up.json` says, and which suite counts as running.

use super::*;
use serde_json::{Value, json};

fn suite() -> Suite {
    suite_of(1)
}

fn suite_of(replicas: usize) -> Suite {
    let databases = Program::SERVICES.map(|service| (service, format!("sqlite:/d/{service}.db")));
    let control = "/d/control.sock".into();
    Suite::new(Ports::from(8080), (&databases.into(), replicas), "log:/d/bus.db", control)
}

#[test]
fn each_replica_has_addresses_of_its_own_and_the_first_ones_are_the_services() {
    let mut suite = suite_of(3);
    suite.set_pid(Member { program: Program::Payment, nth: 2 }, Some(9));
    suite.set_pid(Program::Payment.into(), Some(7));
    let json = serde_json::to_value(&suite).unwrap();
    let replica = |url: &str, admin: &str, pid: Option<u32>| {
        json!({"url": format!("http://127.0.0.1:{url}"),
            "admin_url": format!("http://127.0.0.1:{admin}"), "pid": pid})
    };
    assert_eq!(
        json["payment"]["replicas"],
        json!([
            replica("8082", "8182", Some(7)),
            replica("8102", "8202", None),
            replica("8112", "8212", Some(9)),
        ])
    );
    assert_eq!(json["payment"]["pid"], 7);
    assert_eq!(json["payment"]["url"], json["payment"]["replicas"][0]["url"]);
    assert_eq!(suite.urls(Program::Payment).len(), 3);
    assert_eq!(suite.pids(), [7, 9]);
}

#[test]
fn the_file_has_the_documented_shape_and_follows_the_processes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    let file = SuiteFile::create(&dir, suite()).unwrap();
    file.set_pid(Program::Payment.into(), Some(7)).unwrap();
    file.set_pid(Program::Sandbox.into(), Some(8)).unwrap();
    let json: Value = serde_json::from_slice(&fs::read(dir.suite_file()).unwrap()).unwrap();
    assert_eq!(
        json["payment"],
        json!({
            "url": "http://127.0.0.1:8082", "admin_url": "http://127.0.0.1:8182", "pid": 7,
            "database": "sqlite:/d/payment.db",
            "replicas": [{"url": "http://127.0.0.1:8082", "admin_url": "http://127.0.0.1:8182", "pid": 7}]
        })
    );
    assert_eq!(json["order"]["pid"], Value::Null);
    assert_eq!(
        json["sandbox"],
        json!({"url": "http://127.0.0.1:8090", "smtp": "smtp://127.0.0.1:8091", "pid": 8})
    );
    assert_eq!(json["bus"], json!({"kind": "log", "url": "log:/d/bus.db"}));
    assert_eq!(json["pid"], std::process::id());
    assert_eq!(Suite::read(&dir).unwrap(), Some(file.snapshot()));
    assert_eq!(file.snapshot().pids(), [7, 8]);
}

#[test]
fn the_file_goes_with_the_suite_and_leaves_no_temporary_ones() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    SuiteFile::create(&dir, suite()).unwrap().remove().unwrap();
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_whose_launcher_is_dead_is_no_running_suite() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    let mut stale = suite();
    stale.control = Some(dir.control_socket());
    // The socket of a launcher that was killed stays, and nobody listens on it.
    drop(std::os::unix::net::UnixListener::bind(dir.control_socket()).unwrap());
    let _file = SuiteFile::create(&dir, stale).unwrap();
    let error = Suite::running(&dir).await.unwrap_err().to_string();
    assert!(error.starts_with("no suite is running on") && error.contains("quintet up"), "{error}");
}

#[tokio::test]
async fn urls_alone_describe_a_suite_that_others_run() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    fs::write(dir.suite_file(), include_str!("../../../compose/up.json")).unwrap();
    let (suite, launcher) = Suite::running(&dir).await.unwrap();
    let urls = Program::ALL.map(|program| suite.url(program).to_owned());
    let expected = Program::ALL.map(|program| format!("http://{program}:8080"));
    assert_eq!((urls, launcher.why_down(Program::Order)), (expected, None));
    for service in Program::SERVICES {
        assert_eq!(suite.urls(service), [format!("http://{service}:8080")]);
    }
}
