//! A way to the PostgreSQL server on which every round trip waits until it is let through.

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

/// Messages after which a client waits for the server: Sync, Query, Flush.
const ENDS: [u8; 3] = [b'S', b'Q', b'H'];

/// See the module. It begins open.
#[derive(Clone)]
pub(super) struct Gate {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: String,
    /// How many round trips may have gone through.
    allowed: watch::Sender<u64>,
    arrived: AtomicU64,
    passed: AtomicU64,
}

impl Gate {
    /// A gate before the server at `HOST:PORT`.
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

    /// Lets one round trip through.
    pub(super) fn step(&self) {
        self.state.allowed.send_replace(self.passed() + 1);
    }

    /// Whether a round trip waits.
    pub(super) fn waits(&self) -> bool {
        self.state.arrived.load(Ordering::SeqCst) > self.passed()
    }

    /// How many went through.
    pub(super) fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

impl State {
    async fn pass(&self) {
        let mine = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        // This fails only when the gate is gone.
        let _ = self.allowed.subscribe().wait_for(|allowed| *allowed >= mine).await;
        self.passed.store(mine, Ordering::SeqCst);
    }
}

/// Until either side closes.
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

async fn forward(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    state: &State,
) -> io::Result<()> {
    // The first message has no type.
    let first = message(&mut client, Vec::new()).await?;
    server.write_all(&first).await?;
    let mut trip = Vec::new();
    loop {
        let kind = client.read_u8().await?;
        trip.extend(message(&mut client, vec![kind]).await?);
        // Passwords go through, and so does the farewell.
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

/// The rest of a message: its length, which counts itself, and so much more.
async fn message(client: &mut OwnedReadHalf, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    bytes.extend(length.to_be_bytes());
    let start = bytes.len();
    bytes.resize(start + length as usize - 4, 0);
    client.read_exact(&mut bytes[start..]).await?;
    Ok(bytes)
}
