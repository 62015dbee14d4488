//! What people read: it fits their terminal, and holds no codes when it is piped.

use crate::fake::{Suite, order_id, text};
use std::fs;
use std::process::Output;

const COLUMNS: usize = 100;

/// All that one says, and with which exit code.
fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

fn is_plain(what: &str, said: &str) {
    assert!(!said.is_empty(), "{what} says nothing");
    assert!(!said.contains('\x1b'), "{what} says escape codes: {said:?}");
    for line in said.lines() {
        assert!(line.chars().count() <= COLUMNS, "{what} says a long line:\n{line}");
    }
}

#[tokio::test]
async fn every_commands_output_fits_and_is_plain_when_piped() {
    let suite = Suite::new();
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
        let (_, said) = told(&suite.run(command).await);
        is_plain(&format!("{command:?}"), &said);
    }
    let lost =
        serde_json::json!({"table": "shipment", "order_id": order_id(3), "state": "booking"});
    suite.world.lock().unwrap().rows.insert("shipping", vec![lost; 30]);
    is_plain("a broken audit", &told(&suite.run(&["audit"]).await).1);
    is_plain("up", &up.stderr());
}

#[tokio::test]
async fn every_commands_help_fits_and_is_plain_when_piped() {
    let suite = Suite::new();
    let commands =
        ["", "up", "stop", "start", "place", "watch", "orders", "audit", "bench", "completions"];
    for command in commands {
        let mut arguments = vec![command, "--help"];
        arguments.retain(|argument| !argument.is_empty());
        let (code, said) = told(&suite.run(&arguments).await);
        assert_eq!(code, Some(0), "{said}");
        is_plain(&format!("{arguments:?}"), &said);
    }
}

#[tokio::test]
async fn errors_are_one_line_that_says_what_helps() {
    let suite = Suite::new();
    let fails = async |arguments: &[&str], expected: &str| {
        let (code, said) = told(&suite.run(arguments).await);
        is_plain(&format!("{arguments:?}"), &said);
        assert_eq!((code, said.trim_end()), (Some(1), expected));
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
async fn a_taken_port_is_said_in_one_line() {
    let suite = Suite::new();
    let admin = suite.port + 104;
    let _held = std::net::TcpListener::bind(("127.0.0.1", admin)).unwrap();
    let port = suite.port.to_string();
    let (code, said) = told(&suite.run(&["up", "--suite", "suite.toml", "--port", &port]).await);
    assert_eq!(code, Some(1));
    is_plain("a taken port", &said);
    let expected = format!(
        "quintet: port {admin} for notification's admin: address in use; choose others with `up --port N`\n"
    );
    assert_eq!(said, expected);
}

#[tokio::test]
async fn completions_are_a_script_that_knows_the_commands() {
    let suite = Suite::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, said) = told(&suite.run(&["completions", shell]).await);
        assert_eq!(code, Some(0));
        for word in ["audit", "watch", "postal-code"] {
            assert!(said.contains(word), "{shell} does not know {word}");
        }
    }
    let (_, json) = told(&suite.run(&["completions", "bash", "--json"]).await);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["shell"], "bash");
    assert!(json["script"].as_str().unwrap().contains("quintet"));
}
