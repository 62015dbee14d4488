//! A TCP proxy that can break or block connections, for scenarios with real processes.

use std::{
    net::{SocketAddr, TcpListener as Listener},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

/// The bytes of a Kafka request before the name of its client: its length, key, version and correlation id.
const BEFORE_CLIENT: usize = 4 + 2 + 2 + 4;
const BUFFER: usize = 64 << 10;

/// A proxy in front of a server. It can break or block the connections of all clients or of one. It runs on a thread of its
/// own, so that it works while a scenario blocks.
///
/// ```no_run
/// use quintet_test::proxy::{Protocol, Proxy};
///
/// let proxy = Proxy::start(Proxy::listener(), "127.0.0.1:9092".to_owned(), Protocol::Kafka);
/// println!("clients connect to {}", proxy.address());
/// proxy.cut_off("booking");
/// proxy.heal();
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Dropping it ends the proxy's thread.
    _end: oneshot::Sender<()>,
}

/// The protocol of the server. It decides whether the proxy can distinguish clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Kafka's protocol. A client is known by the `client.id` of its first request.
    Kafka,
    /// Any other protocol. Clients are not distinguished.
    Other,
}

/// What the proxy does with connections.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    /// It passes on all bytes.
    Open,
    /// It breaks the connections of these clients, and accepts no new ones.
    Cut(Clients),
    /// It keeps the connections of these clients open, and passes on no bytes.
    Blocked(Clients),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Clients {
    All,
    One(String),
}

impl Clients {
    fn contains(&self, client: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(name) => name == client,
        }
    }
}

impl Mode {
    fn is_cut(&self, client: &str) -> bool {
        matches!(self, Self::Cut(clients) if clients.contains(client))
    }

    fn is_blocked(&self, client: &str) -> bool {
        matches!(self, Self::Blocked(clients) if clients.contains(client))
    }
}

impl Proxy {
    /// A listener on a free port, for [`Proxy::start`]. It is made separately, because a server that advertises the proxy's
    /// address to its clients must know that address before it starts.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn listener() -> Listener {
        Listener::bind("127.0.0.1:0").expect("a free port")
    }

    /// Starts a proxy in front of `server`, a `HOST:PORT`. It begins open.
    ///
    /// # Panics
    /// If the listener has no address.
    #[must_use]
    pub fn start(listener: Listener, server: String, protocol: Protocol) -> Self {
        let address = listener.local_addr().expect("it listens");
        let (mode, modes) = watch::channel(Mode::Open);
        let (end, mut ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, Arc::from(server), protocol, modes) => {}
                    _ = &mut ended => {}
                }
            });
        });
        Self { address, mode, _end: end }
    }

    /// The address of the proxy, a `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks all connections, and accepts no new ones.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut(Clients::All));
    }

    /// Breaks the connections of the client of this name, and accepts no new ones from it.
    pub fn cut_off(&self, client: &str) {
        self.mode.send_replace(Mode::Cut(Clients::One(client.to_owned())));
    }

    /// Passes on no bytes to or from the client of this name. Its connections stay open.
    pub fn block(&self, client: &str) {
        self.mode.send_replace(Mode::Blocked(Clients::One(client.to_owned())));
    }

    /// Ends all faults. Bytes that were blocked are passed on.
    pub fn heal(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

async fn serve(
    listener: Listener,
    server: Arc<str>,
    protocol: Protocol,
    modes: watch::Receiver<Mode>,
) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(connection(client, Arc::clone(&server), protocol, modes.clone()));
        }
    }
}

/// Serves one connection until it ends, breaks or is cut. The result is always `None`, and only there for `?`.
async fn connection(
    mut client: TcpStream,
    server: Arc<str>,
    protocol: Protocol,
    modes: watch::Receiver<Mode>,
) -> Option<()> {
    let (name, first) = match protocol {
        Protocol::Kafka => client_id(&mut client).await?,
        Protocol::Other => (String::new(), Vec::new()),
    };
    passable(&mut modes.clone(), &name).await?;
    let mut server = TcpStream::connect(&*server).await.ok()?;
    client.set_nodelay(true).and(server.set_nodelay(true)).ok()?;
    server.write_all(&first).await.ok()?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        ended = pump(&mut from_client, &mut to_server, modes.clone(), &name) => ended,
        ended = pump(&mut from_server, &mut to_client, modes.clone(), &name) => ended,
    }
}

/// Reads the name of a Kafka client from its first request. Returns it with all bytes that were read.
async fn client_id(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = vec![0; BEFORE_CLIENT + 2];
    client.read_exact(&mut read).await.ok()?;
    // The length is -1 if the client has no name.
    let length = i16::from_be_bytes([read[BEFORE_CLIENT], read[BEFORE_CLIENT + 1]]);
    let mut name = vec![0; usize::try_from(length).unwrap_or(0)];
    client.read_exact(&mut name).await.ok()?;
    read.extend(&name);
    Some((String::from_utf8_lossy(&name).into_owned(), read))
}

/// Passes on the bytes of one direction until the connection ends or is cut.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut modes: watch::Receiver<Mode>,
    client: &str,
) -> Option<()> {
    let (mut buffer, mut cut) = (vec![0; BUFFER], modes.clone());
    loop {
        let read = tokio::select! {
            _ = cut.wait_for(|mode| mode.is_cut(client)) => return None,
            read = from.read(&mut buffer) => read.ok()?,
        };
        if read == 0 {
            return None;
        }
        passable(&mut modes, client).await?;
        to.write_all(&buffer[..read]).await.ok()?;
    }
}

/// Waits while the client is blocked; `None` if it is cut.
async fn passable(modes: &mut watch::Receiver<Mode>, client: &str) -> Option<()> {
    let mode = modes.wait_for(|mode| !mode.is_blocked(client)).await.ok()?;
    (!mode.is_cut(client)).then_some(())
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use super::*;

    /// A server that sends back all bytes.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it listens").to_string();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = peer.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    /// The first request of a client of this name.
    fn request(client: &str) -> Vec<u8> {
        let length = i16::try_from(client.len()).expect("short").to_be_bytes();
        [&[0; BEFORE_CLIENT], &length[..], client.as_bytes(), b"and more"].concat()
    }

    /// Sends bytes and checks that they come back. Returns false if the connection breaks.
    async fn is_echoed(stream: &mut TcpStream, bytes: &[u8]) -> bool {
        let mut echo = vec![0; bytes.len()];
        let sent = stream.write_all(bytes).await;
        if sent.is_err() || stream.read_exact(&mut echo).await.is_err() {
            return false;
        }
        assert_eq!(echo, bytes);
        true
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.expect("the proxy listens")
    }

    #[tokio::test]
    async fn one_client_is_cut_off_and_the_others_are_not() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Kafka);
        let (mut one, mut other) = (connect(&proxy).await, connect(&proxy).await);
        assert!(is_echoed(&mut one, &request("one")).await);
        assert!(is_echoed(&mut other, &request("other")).await);
        proxy.cut_off("one");
        assert!(!is_echoed(&mut one, b"more").await);
        assert!(!is_echoed(&mut connect(&proxy).await, &request("one")).await);
        assert!(is_echoed(&mut other, b"more").await);
        assert!(is_echoed(&mut connect(&proxy).await, &request("other")).await);
        proxy.heal();
        assert!(is_echoed(&mut connect(&proxy).await, &request("one")).await);
    }

    #[tokio::test]
    async fn blocked_bytes_are_passed_on_later() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Kafka);
        let mut one = connect(&proxy).await;
        assert!(is_echoed(&mut one, &request("one")).await);
        proxy.block("one");
        one.write_all(b"more").await.expect("the connection stays open");
        assert!(is_echoed(&mut connect(&proxy).await, &request("other")).await);
        // The bytes of the other client went there and back meanwhile, so those of this one are blocked.
        let mut one = one.into_std().expect("a socket");
        let error = one.read(&mut [0; 4]).expect_err("no bytes have come back");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut one = TcpStream::from_std(one).expect("a socket");
        proxy.heal();
        let mut echo = [0; 4];
        one.read_exact(&mut echo).await.expect("the bytes come back");
        assert_eq!(&echo, b"more");
    }

    #[tokio::test]
    async fn a_proxy_that_is_cut_for_all_accepts_no_connection() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Other);
        let mut client = connect(&proxy).await;
        assert!(is_echoed(&mut client, b"hello").await);
        proxy.cut();
        assert!(!is_echoed(&mut client, b"hello").await);
        assert!(!is_echoed(&mut connect(&proxy).await, b"hello").await);
        proxy.heal();
        assert!(is_echoed(&mut connect(&proxy).await, b"hello").await);
    }
}
