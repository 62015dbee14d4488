//! A process without file handles. A test binary of its own: the limit is the process's.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use edge::{Limits, Listener, Proxies, Server};
use prometheus_client::{encoding::text::encode, registry::Registry};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

async fn asks(address: SocketAddr) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    answer
}

/// Opens handles until there are none, and gives one back for the client to come.
async fn use_up(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(address).await {
        clients.push(client);
    }
    clients.pop();
    clients
}

#[tokio::test]
async fn without_handles_every_listener_still_answers() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(100), maximum: before.maximum }).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let server = std::sync::Arc::new(Server::new(Proxies::default()));
    let mut registry = Registry::default();
    server.register(&mut registry);
    let mut addresses = Vec::new();
    for name in ["public", "admin"] {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(socket.local_addr().unwrap());
        let router = Router::new().route("/", get(|| async { "fine" }));
        let listener = Listener { name, socket, limits: Limits::default(), router };
        let (server, stopped) = (server.clone(), stopped.clone());
        tokio::spawn(async move { server.serve(listener, stopped).await });
    }
    let clients = use_up(addresses[0]).await;
    assert!(clients.len() > 20, "{}", clients.len());
    for address in addresses.iter().rev() {
        let answer = asks(*address).await;
        assert!(answer.ends_with("fine"), "{answer}");
    }
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains(r#"reason="handles""#), "{text}");
    drop(clients);

    let raised = edge::raise_handle_limit().unwrap();
    assert_eq!(raised, before.maximum);
    assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
}
