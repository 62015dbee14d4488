//! The output for people: it fits a terminal, and has no escape codes when it is piped.

use crate::fake::{FakeSuite, order_id, text};
use std::fs;
use std::process::Output;

const COLUMNS: usize = 100;

/// The exit code of a command, and its stdout and stderr.
fn code_and_text(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

fn assert_plain(command: &str, output: &str) {
    assert!(!output.is_empty(), "{command} prints nothing");
    assert!(!output.contains('\x1b'), "{command} prints escape codes: {output:?}");
    for line in output.lines() {
        assert!(line.chars().count() <= COLUMNS, "{command} prints a long line:\n{line}");
    }
}

#[tokio::test]
async fn every_commands_output_fits_and_is_plain_when_piped() {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    let order = order_id(2);
    let commands: &[&[&str]] = &[
        &["place"],
        &["place", "--follow"],
        &["place", "--count", "20", "--follow"],
        &["watch", &order],
        &["orders"],
        &["audit"],
        &["stop", "payment"],
        &["audit", "--wait", "0s"],
        &["start", "payment"],
    ];
    for command in commands {
        let (_, output) = code_and_text(&suite.run(command).await);
        assert_plain(&format!("{command:?}"), &output);
    }
    let lost =
        serde_json::json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.state.lock().unwrap().rows.insert("shipping", vec![lost; 30]);
    assert_plain("a broken audit", &code_and_text(&suite.run(&["audit"]).await).1);
    assert_plain("up", &up.stderr());
}

#[tokio::test]
async fn every_commands_help_fits_and_is_plain_when_piped() {
    let suite = FakeSuite::new();
    let commands = [
        "",
        "up",
        "stop",
        "start",
        "place",
        "watch",
        "orders",
        "logs",
        "audit",
        "bench",
        "completions",
    ];
    for command in commands {
        let mut arguments = vec![command, "--help"];
        arguments.retain(|argument| !argument.is_empty());
        let (code, output) = code_and_text(&suite.run(&arguments).await);
        assert_eq!(code, Some(0), "{output}");
        assert_plain(&format!("{arguments:?}"), &output);
    }
}

#[tokio::test]
async fn an_error_is_one_line_that_says_how_to_fix_it() {
    let suite = FakeSuite::new();
    let fails = async |arguments: &[&str], expected: &str| {
        let (code, output) = code_and_text(&suite.run(arguments).await);
        assert_plain(&format!("{arguments:?}"), &output);
        assert_eq!((code, output.trim_end()), (Some(1), expected));
    };
    let none = "quintet: there is no directory data: start a suite with `quintet up --data data`";
    fails(&["orders"], none).await;
    fs::write(suite.data(), "a file").unwrap();
    let file = "quintet: data is not a directory: choose another one by --data";
    fails(&["audit"], file).await;
    fs::remove_file(suite.data()).unwrap();

    let up = suite.running().await;
    let unknown = "01a1fde8-c42a-73f5-96da-6e816ab97e8a";
    fails(
        &["watch", unknown],
        &format!("quintet: there is no order {unknown}: `quintet orders` lists them"),
    )
    .await;
    fails(&["watch", "7"], "quintet: 7 is no order id: `quintet orders` lists them").await;
    let pid = up.child.id();
    let in_use = format!(
        "quintet: data is in use by another `quintet up` (pid {pid}): stop that one, or take another --data"
    );
    fails(&["up"], &in_use).await;
    suite.run(&["stop", "order"]).await;
    for command in [&["place"][..], &["orders"], &["watch", unknown]] {
        fails(command, "quintet: order is stopped: `quintet start order` starts it").await;
    }
}

#[tokio::test]
async fn a_taken_port_is_reported_in_one_line() {
    let suite = FakeSuite::new();
    let admin = suite.port + 104;
    let _held = std::net::TcpListener::bind(("127.0.0.1", admin)).unwrap();
    let port = suite.port.to_string();
    let (code, output) =
        code_and_text(&suite.run(&["up", "--suite", "suite.toml", "--port", &port]).await);
    assert_eq!(code, Some(1));
    assert_plain("a taken port", &output);
    let expected = format!(
        "quintet: port {admin} for notification's admin: address in use; choose others with `up --port N`\n"
    );
    assert_eq!(output, expected);
}

#[tokio::test]
async fn completion_scripts_have_the_commands_and_options() {
    let suite = FakeSuite::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, output) = code_and_text(&suite.run(&["completions", shell]).await);
        assert_eq!(code, Some(0));
        for word in ["audit", "watch", "postal-code"] {
            assert!(output.contains(word), "the completions for {shell} lack {word}");
        }
    }
    let (_, json) = code_and_text(&suite.run(&["completions", "bash", "--json"]).await);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["shell"], "bash");
    assert!(json["script"].as_str().unwrap().contains("quintet"));
}
