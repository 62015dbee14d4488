//! A way to a server that can be cut and blocked, for scenarios over real processes.

use std::{
    net::{SocketAddr, TcpListener as Listener},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

/// A request of Kafka's begins with its length, its kind, its version and its number.
const BEFORE_CLIENT: usize = 4 + 2 + 2 + 4;
const BUFFER: usize = 64 << 10;

/// A way to a server that can be cut and blocked, for all clients or for one. It runs on a thread of its own, so that it
/// works while a scenario blocks.
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
    way: watch::Sender<Way>,
    /// Dropped, the proxy ends.
    _end: oneshot::Sender<()>,
}

/// The protocol of the server, which decides how clients are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Kafka's: a client is known by the `client.id` of its first request.
    Kafka,
    /// Any other: all clients are alike.
    Other,
}

/// How the way is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections break, and no new one is taken.
    Cut(Whose),
    /// Nothing gets through, and connections stay open.
    Blocked(Whose),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    All,
    Client(String),
}

impl Whose {
    fn is(&self, client: &str) -> bool {
        match self {
            Self::All => true,
            Self::Client(name) => name == client,
        }
    }
}

impl Way {
    fn is_cut(&self, client: &str) -> bool {
        matches!(self, Self::Cut(whose) if whose.is(client))
    }

    fn is_blocked(&self, client: &str) -> bool {
        matches!(self, Self::Blocked(whose) if whose.is(client))
    }
}

impl Proxy {
    /// A free address for a proxy. A server that tells its clients its own address needs it before it starts.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn listener() -> Listener {
        Listener::bind("127.0.0.1:0").expect("a free port")
    }

    /// Leads to `server`, a `HOST:PORT`.
    ///
    /// # Panics
    /// If the listener does not listen.
    #[must_use]
    pub fn start(listener: Listener, server: String, protocol: Protocol) -> Self {
        let address = listener.local_addr().expect("it listens");
        let (way, ways) = watch::channel(Way::Open);
        let (end, mut ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, Arc::from(server), protocol, ways) => {}
                    _ = &mut ended => {}
                }
            });
        });
        Self { address, way, _end: end }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks all connections, and takes none.
    pub fn cut(&self) {
        self.way.send_replace(Way::Cut(Whose::All));
    }

    /// Breaks the connections of the client of this name, and takes none.
    pub fn cut_off(&self, client: &str) {
        self.way.send_replace(Way::Cut(Whose::Client(client.to_owned())));
    }

    /// Lets nothing through to or from the client of this name. Its connections stay open.
    pub fn block(&self, client: &str) {
        self.way.send_replace(Way::Blocked(Whose::Client(client.to_owned())));
    }

    /// Opens the way again. What was blocked goes on.
    pub fn heal(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn serve(
    listener: Listener,
    server: Arc<str>,
    protocol: Protocol,
    ways: watch::Receiver<Way>,
) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(lead(client, Arc::clone(&server), protocol, ways.clone()));
        }
    }
}

/// One connection, from its first byte to its end. `None` if it breaks.
async fn lead(
    mut client: TcpStream,
    server: Arc<str>,
    protocol: Protocol,
    ways: watch::Receiver<Way>,
) -> Option<()> {
    let (name, first) = match protocol {
        Protocol::Kafka => client_id(&mut client).await?,
        Protocol::Other => (String::new(), Vec::new()),
    };
    open(&mut ways.clone(), &name).await?;
    let mut server = TcpStream::connect(&*server).await.ok()?;
    client.set_nodelay(true).and(server.set_nodelay(true)).ok()?;
    server.write_all(&first).await.ok()?;
    let ((mut said, mut hear), (mut answers, mut ask)) = (client.split(), server.split());
    tokio::select! {
        ended = pump(&mut said, &mut ask, ways.clone(), &name) => ended,
        ended = pump(&mut answers, &mut hear, ways.clone(), &name) => ended,
    }
}

/// The client's name, and what was read to know it.
async fn client_id(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = vec![0; BEFORE_CLIENT + 2];
    client.read_exact(&mut read).await.ok()?;
    // A length of -1 stands for no name.
    let length = i16::from_be_bytes([read[BEFORE_CLIENT], read[BEFORE_CLIENT + 1]]);
    let mut name = vec![0; usize::try_from(length).unwrap_or(0)];
    client.read_exact(&mut name).await.ok()?;
    read.extend(&name);
    Some((String::from_utf8_lossy(&name).into_owned(), read))
}

/// Carries one direction until it ends or is cut.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut ways: watch::Receiver<Way>,
    client: &str,
) -> Option<()> {
    let (mut buffer, mut cut) = (vec![0; BUFFER], ways.clone());
    loop {
        let read = tokio::select! {
            _ = cut.wait_for(|way| way.is_cut(client)) => return None,
            read = from.read(&mut buffer) => read.ok()?,
        };
        if read == 0 {
            return None;
        }
        open(&mut ways, client).await?;
        to.write_all(&buffer[..read]).await.ok()?;
    }
}

/// Waits until the way is open; `None` if it is cut.
async fn open(ways: &mut watch::Receiver<Way>, client: &str) -> Option<()> {
    let way = ways.wait_for(|way| !way.is_blocked(client)).await.ok()?;
    (!way.is_cut(client)).then_some(())
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use super::*;

    /// Says what it hears.
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

    /// A first request of a client of this name.
    fn request(client: &str) -> Vec<u8> {
        let length = i16::try_from(client.len()).expect("short").to_be_bytes();
        [&[0; BEFORE_CLIENT], &length[..], client.as_bytes(), b"and more"].concat()
    }

    /// What comes back of what a client says, or nothing if the connection breaks.
    async fn said(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
        stream.write_all(bytes).await.ok()?;
        let mut heard = vec![0; bytes.len()];
        stream.read_exact(&mut heard).await.ok()?;
        assert_eq!(heard, bytes);
        Some(())
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.expect("the proxy listens")
    }

    #[tokio::test]
    async fn one_client_is_cut_off_and_the_others_are_not() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Kafka);
        let (mut one, mut other) = (connect(&proxy).await, connect(&proxy).await);
        assert!(said(&mut one, &request("one")).await.is_some());
        assert!(said(&mut other, &request("other")).await.is_some());
        proxy.cut_off("one");
        assert!(said(&mut one, b"more").await.is_none());
        assert!(said(&mut connect(&proxy).await, &request("one")).await.is_none());
        assert!(said(&mut other, b"more").await.is_some());
        assert!(said(&mut connect(&proxy).await, &request("other")).await.is_some());
        proxy.heal();
        assert!(said(&mut connect(&proxy).await, &request("one")).await.is_some());
    }

    #[tokio::test]
    async fn what_is_blocked_comes_through_later() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Kafka);
        let mut one = connect(&proxy).await;
        assert!(said(&mut one, &request("one")).await.is_some());
        proxy.block("one");
        one.write_all(b"more").await.expect("the connection stays open");
        assert!(said(&mut connect(&proxy).await, &request("other")).await.is_some());
        // The other's went there and back meanwhile.
        let mut one = one.into_std().expect("a socket");
        let nothing = one.read(&mut [0; 4]).expect_err("nothing is there");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        let mut one = TcpStream::from_std(one).expect("a socket");
        proxy.heal();
        let mut heard = [0; 4];
        one.read_exact(&mut heard).await.expect("it comes");
        assert_eq!(&heard, b"more");
    }

    #[tokio::test]
    async fn cut_for_all_it_takes_no_connection() {
        let proxy = Proxy::start(Proxy::listener(), echo().await, Protocol::Other);
        let mut client = connect(&proxy).await;
        assert!(said(&mut client, b"hello").await.is_some());
        proxy.cut();
        assert!(said(&mut client, b"hello").await.is_none());
        assert!(said(&mut connect(&proxy).await, b"hello").await.is_none());
        proxy.heal();
        assert!(said(&mut connect(&proxy).await, b"hello").await.is_some());
    }
}
