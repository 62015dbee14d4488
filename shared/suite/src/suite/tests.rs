//! The content of `up.json`, and which suite counts as running.

use super::*;
use crate::manifest::tests::trip;
use serde_json::{Value, json};

fn named(name: &str) -> Component {
    Component::named(name)
}

pub(crate) fn suite() -> Suite {
    suite_of(1)
}

fn suite_of(replicas: usize) -> Suite {
    let databases = trip().services().map(|service| (service, format!("sqlite:/d/{service}.db")));
    Suite::new(NewSuite {
        manifest: trip(),
        ports: Ports::of(trip(), Some(8080)).unwrap(),
        databases: &databases.collect(),
        replicas,
        bus: Bus { kind: "log".to_owned(), url: "log:/d/bus.db".to_owned(), ..Bus::default() },
        control: "/d/control.sock".into(),
    })
}

#[test]
fn each_replica_has_its_own_addresses_and_the_service_has_those_of_the_first() {
    let mut suite = suite_of(3);
    let flights = named("flights");
    suite.set_pid(Member { component: flights, nth: 2 }, Some(9));
    suite.set_pid(flights.into(), Some(7));
    let json = serde_json::to_value(&suite).unwrap();
    let replica = |url: &str, admin: &str, pid: Option<u32>| {
        json!({"url": format!("http://127.0.0.1:{url}"),
            "admin_url": format!("http://127.0.0.1:{admin}"), "pid": pid})
    };
    assert_eq!(
        json["flights"]["replicas"],
        json!([
            replica("8081", "8189", Some(7)),
            replica("8101", "8209", None),
            replica("8111", "8219", Some(9)),
        ])
    );
    assert_eq!(json["flights"]["pid"], 7);
    assert_eq!(json["flights"]["url"], json["flights"]["replicas"][0]["url"]);
    assert_eq!(suite.urls(flights).len(), 3);
    assert_eq!(suite.pids(), [7, 9]);
}

#[test]
fn the_file_has_the_documented_shape_and_follows_the_processes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    let file = SuiteFile::create(&dir, suite()).unwrap();
    file.set_pid(named("booking").into(), Some(7)).unwrap();
    file.set_pid(named("airline").into(), Some(8)).unwrap();
    let json: Value = serde_json::from_slice(&fs::read(dir.suite_file()).unwrap()).unwrap();
    assert_eq!(
        json["booking"],
        json!({
            "url": "http://127.0.0.1:8080", "admin_url": "http://127.0.0.1:8180", "pid": 7,
            "database": "sqlite:/d/booking.db",
            "replicas": [{"url": "http://127.0.0.1:8080", "admin_url": "http://127.0.0.1:8180", "pid": 7}]
        })
    );
    assert_eq!(json["flights"]["pid"], Value::Null);
    assert_eq!(
        json["airline"],
        json!({"url": "http://127.0.0.1:8090", "smtp": "smtp://127.0.0.1:8091", "pid": 8})
    );
    assert_eq!(json["bus"], json!({"kind": "log", "url": "log:/d/bus.db"}));
    assert_eq!(json["pid"], std::process::id());
    assert_eq!(Suite::read(&dir).unwrap(), Some(file.snapshot()));
    assert_eq!(file.snapshot().pids(), [7, 8]);
}

#[test]
fn removing_the_file_leaves_no_temporary_file() {
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
    // The socket file of a killed launcher remains, but no process listens on it.
    drop(std::os::unix::net::UnixListener::bind(dir.control_socket()).unwrap());
    let _file = SuiteFile::create(&dir, stale).unwrap();
    let error = Suite::running(&dir).await.unwrap_err().to_string();
    assert!(error.starts_with("no suite is running on") && error.contains("quintet up"), "{error}");
}

/// The `up.json` of a suite that `up` has not started.
pub(crate) const ELSEWHERE: &str = r#"{
  "booking": {"url": "http://booking:8080", "admin_url": "http://booking:8180"},
  "flights": {"url": "http://flights:8080", "admin_url": "http://flights:8180"},
  "airline": {"url": "http://airline:8080"},
  "bus": {"kind": "kafka", "url": "kafka:kafka:9092"}
}"#;

#[tokio::test]
async fn urls_alone_describe_a_suite_that_up_has_not_started() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path()).unwrap();
    fs::write(dir.suite_file(), ELSEWHERE).unwrap();
    let (suite, launcher) = Suite::running(&dir).await.unwrap();
    for component in ["booking", "flights", "airline"] {
        assert_eq!(suite.url(named(component)), format!("http://{component}:8080"));
    }
    assert_eq!(launcher.why_down(named("booking")), None);
    assert_eq!(suite.urls(named("flights")), ["http://flights:8080"]);
    assert_eq!(suite.component(named("flights")), Ok(named("flights")));
    let error = suite.component(named("cars")).unwrap_err().to_string();
    assert!(error.starts_with("there is no cars in this suite: give one of "), "{error}");
    assert!(["booking", "flights", "airline"].iter().all(|name| error.contains(name)), "{error}");
}
