//! More connections than the limits allow.

use quintet_edge::Limits;

use crate::rig::{Client, HELD, HELLO, Rig};

fn few(connections: usize) -> Limits {
    Limits { connections, health_connections: 1, ..Limits::default() }
}

/// Connections whose requests are in flight.
async fn busy(rig: &Rig, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = rig.connect().await;
        // The answer to the first request shows that the second is being handled.
        client.send([HELLO, HELD].concat()).await;
        client.hears("hello").await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn a_new_connection_replaces_the_one_that_has_waited_longest_for_its_client() {
    let rig = Rig::within(few(3), &[]).await;
    let _busy = busy(&rig, 1).await;
    let mut silent = rig.connect().await;
    let mut idle = rig.connect().await;
    idle.send(HELLO).await;
    idle.hears("hello").await;
    let mut new = rig.connect().await;
    new.send(HELLO).await;
    new.hears("hello").await;
    assert_eq!(silent.rest().await, "");
    idle.send(HELLO).await;
    idle.hears("hello").await;
    let replaced = r#"http_connections_closed_total{listener="public",reason="replaced"}"#;
    assert_eq!(rig.counted(replaced), 1);
}

#[tokio::test]
async fn hundreds_of_silent_clients_do_not_keep_another_client_out() {
    let rig = Rig::within(few(20), &[]).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(rig.connect().await);
    }
    let mut client = rig.connect().await;
    client.send(HELLO).await;
    client.hears("hello").await;
}

#[tokio::test]
async fn a_full_listener_accepts_connections_for_health_and_then_none() {
    let rig = Rig::within(few(2), &[]).await;
    let mut clients = busy(&rig, 2).await;
    let mut health = rig.connect().await;
    // The router decides what such a connection may ask; it gets `health_only`.
    health.send("GET /reserved HTTP/1.1\r\nhost: x\r\n\r\n").await;
    health.hears("health only: true").await;
    let mut client = rig.connect().await;
    client.send(HELLO).await;
    // The connection for health waits for its client, so it is replaced.
    client.hears("hello").await;
    assert_eq!(health.rest().await, "");
    client.send(HELD).await;
    let mut refused = rig.connect().await;
    let answer = refused.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("again later\"}"), "{answer}");
    let counted = r#"http_connections_refused_total{listener="public",reason="full"}"#;
    assert_eq!(rig.counted(counted), 1);
    clients.push(client);
}

#[tokio::test]
async fn the_limit_of_an_address_does_not_apply_to_a_proxy() {
    let limits = Limits { per_address: 2, ..Limits::default() };
    let rig = Rig::within(limits, &[]).await;
    let (mut first, _second) = (rig.connect().await, rig.connect().await);
    first.send(HELLO).await;
    first.hears("hello").await;
    let answer = rig.connect().await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let counted = r#"http_connections_refused_total{listener="public",reason="address"}"#;
    assert_eq!(rig.counted(counted), 1);

    let rig = Rig::within(limits, &["127.0.0.1"]).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = rig.connect().await;
        client.send(HELLO).await;
        client.hears("hello").await;
        clients.push(client);
    }
}
