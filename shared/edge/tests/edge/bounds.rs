//! Limits on sizes and times.

use std::time::Duration;

use quintet_edge::{HEAD_BYTES, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{HELD, HELLO, Rig};

/// Limits that no test reaches, unless it shortens one of them.
fn patient() -> Limits {
    let long = Duration::from_hours(1);
    Limits { head: long, idle: long, write: long, ..Limits::default() }
}

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_head_may_be_as_long_as_its_limit_and_no_longer() {
    let rig = Rig::within(patient(), &[]).await;
    let head = |length: usize| {
        let start = "GET /hello HTTP/1.1\r\nhost: x\r\nx-long: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    let mut client = rig.connect().await;
    client.send(head(HEAD_BYTES - 1)).await;
    client.hears("hello").await;
    client.send(HELLO).await;
    client.hears("hello").await;

    // The head is refused while the client still sends. The answer must arrive all the same.
    let mut client = rig.connect().await;
    client.send(&head(50 * HEAD_BYTES)).await;
    let answer = client.hears("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let rig = Rig::within(patient(), &[]).await;
    let mut client = rig.connect().await;
    client.send("GET /hello HTTP/1.1\r\nhost: x\r\n").await;
    let line = format!("x-filler: {}\r\n", "x".repeat(1000));
    for _ in 0..HEAD_BYTES.div_ceil(line.len()) {
        client.send(&line).await;
    }
    let answer = client.hears("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn connections_without_a_whole_head_are_closed() {
    let rig = Rig::within(Limits { head: SHORT, ..patient() }, &[]).await;
    let (mut silent, mut half) = (rig.connect().await, rig.connect().await);
    half.send("GET /hello HTTP/1.1\r\nho").await;
    assert_eq!(silent.rest().await, "");
    assert_eq!(half.rest().await, "");

    // Between two requests a connection has more time, until the next request begins.
    let mut client = rig.connect().await;
    client.send(HELLO).await;
    client.hears("hello").await;
    client.send("GET").await;
    assert_eq!(client.rest().await, "");
    let closed = r#"http_connections_closed_total{listener="public",reason="head"}"#;
    assert_eq!(rig.counted(closed), 3);
}

#[tokio::test]
async fn connections_without_a_next_request_are_closed() {
    let rig = Rig::within(Limits { idle: SHORT, ..patient() }, &[]).await;
    let mut client = rig.connect().await;
    client.send(HELLO).await;
    client.hears("hello").await;
    assert_eq!(client.rest().await, "");
    let closed = r#"http_connections_closed_total{listener="public",reason="idle"}"#;
    assert_eq!(rig.counted(closed), 1);
}

#[tokio::test]
async fn a_client_that_waits_for_its_answer_is_not_closed() {
    let rig =
        Rig::within(Limits { head: SHORT, idle: SHORT, write: SHORT, ..patient() }, &[]).await;
    let mut waiting = rig.connect().await;
    waiting.send(HELD).await;
    // Meanwhile other connections reach their time limits.
    for _ in 0..2 {
        assert_eq!(rig.connect().await.rest().await, "");
    }
    rig.held.notify_one();
    assert!(waiting.hears("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_closed() {
    let rig = Rig::within(Limits { write: SHORT, ..patient() }, &[]).await;
    let mut client = rig.connect().await;
    client.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let closed = r#"http_connections_closed_total{listener="public",reason="write"}"#;
    while rig.counted(closed) == 0 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut buffered = Vec::new();
    let _ = client.0.read_to_end(&mut buffered).await;
    // Most of it is in the client's own buffer, which the kernel lets grow to 6 MiB.
    assert!(buffered.len() < 8 << 20, "the kernel has buffered {} bytes", buffered.len());
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_sends_its_body() {
    let rig = Rig::within(patient(), &[]).await;
    let mut client = rig.connect().await;
    let length = 10 * 1024 * 1024;
    client
        .send(format!("POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    let sent = vec![b'x'; length];
    let (mut read, mut write) = client.0.split();
    let (sent, answer) = tokio::join!(write.write_all(&sent), async {
        let mut answer = String::new();
        read.read_to_string(&mut answer).await.map(|_| answer)
    });
    sent.unwrap();
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too large"), "{answer}");
    // Otherwise the client would send its next request on this connection.
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_within_the_limits_arrives_completely() {
    let rig = Rig::within(patient(), &[]).await;
    let mut client = rig.connect().await;
    for head in ["content-length: 100000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n186a0\r\n"] {
        client
            .send(format!("POST /length HTTP/1.1\r\nhost: x\r\n{head}{}", "x".repeat(100_000)))
            .await;
        if head.contains("chunked") {
            client.send("\r\n0\r\n\r\n").await;
        }
        let answer = client.hears("\r\n\r\n100000").await;
        assert!(!answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn requests_in_flight_are_answered_before_the_server_stops() {
    let rig = Rig::within(patient(), &[]).await;
    let (mut idle, mut waiting) = (rig.connect().await, rig.connect().await);
    idle.send(HELLO).await;
    idle.hears("hello").await;
    waiting.send([HELLO, HELD].concat()).await;
    waiting.hears("hello").await;
    rig.stop.send_replace(true);
    assert_eq!(idle.rest().await, "");
    assert!(tokio::net::TcpStream::connect(rig.address).await.is_err());
    rig.held.notify_one();
    assert!(waiting.rest().await.starts_with("HTTP/1.1 200 "));
    rig.serving.await.unwrap();
}
