//! A proxy in front of PostgreSQL that lets a test decide when each round trip goes through.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// The types of messages after which a client waits for the server: Sync, Query, Flush. They end a round trip's request.
const ENDS: [u8; 3] = [b'S', b'Q', b'H'];

/// A proxy for one replica. It begins open.
#[derive(Clone)]
pub(super) struct Gate {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: String,
    /// The number of round trips, from the first on, that may go through.
    allowed: watch::Sender<u64>,
    /// The number of round trips that have reached the gate.
    arrived: AtomicU64,
    /// The number of round trips that have gone through.
    passed: AtomicU64,
}

impl Gate {
    /// A gate in front of the server at `HOST:PORT`.
    pub(super) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State {
            server: server.to_owned(),
            allowed: watch::Sender::new(u64::MAX),
            arrived: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        });
        let gate = Self { port, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, Arc::clone(&state)));
            }
        });
        gate
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn open(&self) {
        self.state.allowed.send_replace(u64::MAX);
    }

    pub(super) fn close(&self) {
        self.state.allowed.send_replace(self.passed());
    }

    /// Lets one more round trip through.
    pub(super) fn step(&self) {
        self.state.allowed.send_replace(self.passed() + 1);
    }

    /// Whether a round trip waits at the gate.
    pub(super) fn waits(&self) -> bool {
        self.state.arrived.load(Ordering::SeqCst) > self.passed()
    }

    /// The number of round trips that have gone through.
    pub(super) fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

impl State {
    /// Waits until this round trip may go through.
    async fn pass(&self) {
        let number = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        // Waiting fails only if the sender was dropped, and `self` has it.
        let _ = self.allowed.subscribe().wait_for(|allowed| *allowed >= number).await;
        self.passed.store(number, Ordering::SeqCst);
    }
}

/// Serves a connection until either side closes it.
async fn connect(client: TcpStream, state: Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect(&state.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        ended = forward(from_client, to_server, &state) => ended,
        ended = copy(&mut from_server, &mut to_client) => ended.map(drop),
    }
}

/// Passes on the client's messages. The last message of each round trip waits at the gate.
async fn forward(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    state: &State,
) -> io::Result<()> {
    // The first message of a connection, Startup, has no type.
    let first = message(&mut client, Vec::new()).await?;
    server.write_all(&first).await?;
    let mut trip = Vec::new();
    loop {
        let kind = client.read_u8().await?;
        trip.extend(message(&mut client, vec![kind]).await?);
        // Passwords (p) and Terminate (X) are passed on at once: they belong to no statement.
        let gated = ENDS.contains(&kind);
        if gated {
            state.pass().await;
        }
        if gated || matches!(kind, b'p' | b'X') {
            server.write_all(&trip).await?;
            trip.clear();
        }
    }
}

/// Reads the rest of a message and appends it: its length, which includes the four bytes of the length itself, and its body.
async fn message(client: &mut OwnedReadHalf, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    bytes.extend(length.to_be_bytes());
    let start = bytes.len();
    bytes.resize(start + length as usize - 4, 0);
    client.read_exact(&mut bytes[start..]).await?;
    Ok(bytes)
}
