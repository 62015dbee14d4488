//! A server with a few routes, and a client that sends bytes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::{get, post},
};
use futures::stream;
use prometheus_client::{encoding::text::encode, registry::Registry};
use quintet_edge::{Limits, Listener, Peer, Proxies, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

/// How long a test waits before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// A complete request, after which the connection stays open.
pub const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
/// A request that is answered once [`Rig::held`] is notified.
pub const HELD: &str = "GET /held HTTP/1.1\r\nhost: x\r\n\r\n";

pub struct Rig {
    pub address: SocketAddr,
    /// A notification answers one request to `/held`.
    pub held: Arc<Notify>,
    pub stop: watch::Sender<bool>,
    pub serving: JoinHandle<()>,
    registry: Registry,
}

impl Rig {
    /// Serves within these limits, behind these proxies.
    pub async fn within(limits: Limits, proxies: &[&str]) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let held = Arc::new(Notify::new());
        let server = Server::new(Proxies::parse(proxies).unwrap());
        let mut registry = Registry::default();
        server.register(&mut registry);
        let (stop, stopped) = watch::channel(false);
        let router = routes(Arc::clone(&held));
        let serving = tokio::spawn(async move {
            let listener = Listener { name: "public", socket, limits, router };
            server.serve(listener, stopped).await;
        });
        Self { address, held, stop, serving, registry }
    }

    pub async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// The value of a metric with these labels; 0 if there is none yet.
    pub fn counted(&self, series: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(series));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }
}

fn routes(held: Arc<Notify>) -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        // Answers without reading the body.
        .route("/refused", post(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "too large") }))
        .route("/reserved", get(health_only))
        .route("/held", get(|| async move { held.notified().await }))
        .route("/endless", get(|| async { Body::from_stream(stream::repeat_with(piece)) }))
}

async fn health_only(Extension(peer): Extension<Peer>) -> String {
    format!("health only: {}", peer.health_only)
}

#[expect(clippy::unnecessary_wraps, reason = "a stream of a body has results")]
fn piece() -> Result<Bytes, std::io::Error> {
    Ok(Bytes::from_static(&[b'x'; 8192]))
}

/// A connection.
pub struct Client(pub TcpStream);

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads up to this text.
    pub async fn hears(&mut self, words: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(words.as_bytes()) {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.expect(words);
            text.push(byte.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&text))));
        }
        String::from_utf8(text).unwrap()
    }

    /// Reads until the server closes the connection, however it does.
    pub async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut text)).await.expect("the end");
        String::from_utf8(text).unwrap()
    }
}
