//! A process without free file handles. The limit is that of the process, so this test has its own program.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get};
use prometheus_client::{encoding::text::encode, registry::Registry};
use quintet_edge::{Limits, Listener, Proxies, Server};
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

/// Opens connections until there are no handles, and closes one for the client of the test.
async fn use_up(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(address).await {
        clients.push(client);
    }
    clients.pop();
    clients
}

/// The collected log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects the log of this thread, on which the whole test runs.
    fn collected(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines_of(&self, listener: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let refuses = format!("the {listener} listener refuses connections");
        text.lines().filter(|line| line.contains(&refuses) && line.contains("ulimit -n")).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How many connections a listener has refused because there was no handle.
fn refused(registry: &Registry, listener: &str) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let series =
        format!("http_connections_refused_total{{listener=\"{listener}\",reason=\"handles\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&series));
    found.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn without_handles_every_listener_still_answers() {
    let log = Log::default();
    let _collecting = log.collected();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(100), maximum: before.maximum }).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let server = Arc::new(Server::new(Proxies::default()));
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
    // Each refusal is counted, and the log has one line a minute.
    assert!(refused(&registry, "public") > 1);
    assert_eq!(log.lines_of("public"), 1);
    drop(clients);

    let raised = quintet_edge::raise_handle_limit().unwrap();
    assert_eq!(raised, before.maximum);
    assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
}
