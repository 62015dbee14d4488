//! `quintet provider sandbox`: how it ends, and that its ledger survives SIGKILL.

use std::io::{BufRead, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A charge that the gateway captures.
fn charge() -> Value {
    let order = "0190d9f0-0000-7000-8000-000000000001";
    json!({ "order_id": order, "amount_minor": 1298, "currency": "EUR", "token": "tok_ok" })
}

struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(listen: &str, data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_quintet"))
            .args(["provider", "sandbox", "--listen", listen, "--data"])
            .arg(data)
            .env("QUINTET_LEASH", "stdin")
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// Waits until the sandbox logs its HTTP address.
    fn address(&mut self) -> SocketAddr {
        let mut log = String::new();
        while self.stderr.read_line(&mut log).unwrap() > 0 {
            let logged = log.split_once("http=").and_then(|(_, rest)| rest.split_once(' '));
            if let Some((address, _)) = logged {
                return address.parse().unwrap();
            }
        }
        panic!("the sandbox ended before it listened: {log}");
    }

    fn signal(&self, signal: &str) {
        let command = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

async fn post(address: SocketAddr, key: &str) -> StatusCode {
    let request = Client::new().post(format!("http://{address}/charges"));
    let request = request.header("Idempotency-Key", key).json(&charge());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn answered_charges_survive_a_kill() {
    let data = TempDir::new().unwrap();
    let mut process = Process::start("127.0.0.1:0", data.path());
    let address = process.address();
    for nth in 0..20 {
        assert_eq!(post(address, &nth.to_string()).await, StatusCode::OK);
    }
    process.signal("KILL");
    process.exit_code();

    let mut process = Process::start("127.0.0.1:0", data.path());
    let address = process.address();
    assert_eq!(post(address, "0").await, StatusCode::OK);
    let ledger = reqwest::get(format!("http://{address}/ledger")).await.unwrap();
    let ledger: Value = ledger.json().await.unwrap();
    let charges = ledger["charges"].as_array().unwrap();
    assert_eq!(charges.len(), 20);
    let requests = charges.iter().map(|row| row["requests"].as_i64().unwrap());
    assert_eq!(requests.sum::<i64>(), 21);
}

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let data = TempDir::new().unwrap();
        let mut process = Process::start("127.0.0.1:0", data.path());
        process.address();
        process.signal(signal);
        assert_eq!(process.exit_code(), Some(0), "{signal}");
    }
}

#[test]
fn it_ends_with_its_parent() {
    let data = TempDir::new().unwrap();
    let mut process = Process::start("127.0.0.1:0", data.path());
    process.address();
    drop(process.child.stdin.take());
    assert_eq!(process.exit_code(), Some(0));
}

/// The last line that the sandbox prints before it fails.
fn failure(listen: &str, data: &Path) -> String {
    let mut process = Process::start(listen, data);
    let lines = process.stderr.by_ref().lines().map(Result::unwrap);
    let last = lines.last().unwrap_or_default();
    assert_eq!(process.exit_code(), Some(1), "{last}");
    last
}

#[test]
fn the_error_for_a_taken_port_or_a_bad_directory_names_the_option() {
    let data = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = failure(&address, data.path());
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");

    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = failure("127.0.0.1:0", &file);
    assert!(error.contains("file") && error.contains("--data"), "{error}");
}
