use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use rustix::net::Shutdown;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::connection::Connection;

/// What is read at once of a request that was refused before it was read whole.
const FORGOTTEN: usize = 16 * 1024;

/// A connection's bytes. The connection learns what moves.
#[derive(Debug)]
pub(crate) struct Stream {
    /// There until the stream is dropped.
    socket: Option<TcpStream>,
    connection: Arc<Connection>,
    /// The client has closed its end.
    ended: bool,
    leftover: Leftover,
}

/// The socket of a stream that was dropped, unless the client had closed it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leftover(Arc<Mutex<Option<TcpStream>>>);

impl Leftover {
    /// Closes this end and waits for the other, at most for `most` bytes. A client that still sends while the socket
    /// is closed would see a reset instead of its answer.
    pub(crate) async fn linger(self, most: usize) {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(socket) = socket else { return };
        if rustix::net::shutdown(&socket, Shutdown::Write).is_err() {
            return;
        }
        let (mut forgotten, mut buffer) = (0, vec![0; FORGOTTEN]);
        while forgotten < most && socket.readable().await.is_ok() {
            match socket.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => forgotten += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl Stream {
    pub(crate) fn new(socket: TcpStream, connection: Arc<Connection>) -> (Self, Leftover) {
        let leftover = Leftover::default();
        let kept = leftover.clone();
        (Self { socket: Some(socket), connection, ended: false, leftover }, kept)
    }

    fn poll_written(
        mut self: Pin<&mut Self>,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Some(socket) = &mut self.socket else { return Poll::Ready(Ok(0)) };
        let written = write(Pin::new(socket));
        self.connection.wrote(written.is_ready());
        written
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.ended {
            let socket = self.socket.take();
            *self.leftover.0.lock().unwrap_or_else(PoisonError::into_inner) = socket;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(socket) = &mut self.socket else { return Poll::Ready(Ok(())) };
        let before = into.filled().len();
        ready!(Pin::new(socket).poll_read(cx, into))?;
        self.ended = into.filled().len() == before;
        self.connection.received();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(|socket| socket.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(|socket| socket.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket has nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Left to [`Leftover::linger`].
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
