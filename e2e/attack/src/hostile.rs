use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::TcpStream,
    time::timeout,
};

/// How long a connection may take to open, and to send its request. A full listener lets it wait.
const OPENING: Duration = Duration::from_secs(5);

/// What a hostile connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackKind {
    /// Sends all but the last byte of a body.
    Bodies,
    /// Sends a body in chunks without end, which exceeds every limit.
    EndlessBodies,
    /// Sends 400 kB of a request head that does not end.
    LongHeads,
    /// Sends the beginning of a request head.
    HalfHeads,
    /// Sends nothing.
    Silent,
    /// Opens an event stream and does not read it.
    Streams,
    /// Requests the longest listing again and again, and reads no answer.
    Unread,
}

impl AttackKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Bodies,
        Self::EndlessBodies,
        Self::LongHeads,
        Self::HalfHeads,
        Self::Silent,
        Self::Streams,
        Self::Unread,
    ];

    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::EndlessBodies => "endless bodies",
            Self::LongHeads => "long heads",
            Self::HalfHeads => "half heads",
            Self::Silent => "silent",
            Self::Streams => "event streams",
            Self::Unread => "unread answers",
        }
    }

    /// The bytes that it sends; `None` if it needs an order and there is none.
    pub(crate) fn request(self, order: Option<&str>) -> Option<Vec<u8>> {
        const BODY: usize = 32 * 1024;
        const CHUNK: usize = 8 * 1024;
        let post = "POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        Some(match self {
            Self::Bodies => {
                format!("{post}content-length: {BODY}\r\n\r\n{}", " ".repeat(BODY - 1)).into()
            }
            Self::EndlessBodies => {
                let chunk = format!("{CHUNK:x}\r\n{}\r\n", " ".repeat(CHUNK));
                format!("{post}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(32)).into()
            }
            Self::LongHeads => format!(
                "GET /orders HTTP/1.1\r\nhost: localhost\r\nx-long: {}",
                "x".repeat(400_000)
            )
            .into(),
            Self::HalfHeads => "GET /orders HTTP/1.1\r\nhost: loc".into(),
            Self::Silent => Vec::new(),
            Self::Streams => {
                let path = format!("/orders/{}/events", order?);
                format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into()
            }
            Self::Unread => {
                let one = "GET /orders?limit=500 HTTP/1.1\r\nhost: localhost\r\n\r\n";
                one.repeat(64).into()
            }
        })
    }
}

/// Hostile connections, which stay open until this is dropped.
pub(crate) struct Hostile(Vec<TcpStream>);

impl Hostile {
    /// Opens up to this many connections. Each sends the request, as far as the listener reads it.
    pub(crate) async fn open(against: SocketAddr, request: &[u8], connections: usize) -> Self {
        let open_one = || async {
            let mut stream = timeout(OPENING, TcpStream::connect(against)).await.ok()?.ok()?;
            // Fails if the listener closes the connection in the middle of the request: that is a refusal, not an
            // error here.
            let _ = timeout(OPENING, stream.write_all(request)).await;
            Some(stream)
        };
        let opened = join_all((0..connections).map(|_| open_one())).await;
        Self(opened.into_iter().flatten().collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them the service has not closed.
    pub(crate) fn still_open(&self) -> usize {
        let mut buffer = vec![0; 1 << 16];
        let mut open = |stream: &TcpStream| {
            loop {
                match stream.try_io(Interest::READABLE, || stream.try_read(&mut buffer)) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
                }
            }
        };
        self.0.iter().filter(|stream| open(stream)).count()
    }
}
