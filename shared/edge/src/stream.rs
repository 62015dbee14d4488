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

/// How much of a refused request is read and discarded at once.
const DISCARD_BUFFER: usize = 16 * 1024;

/// The socket of a connection, which notes for the connection what was received and written.
#[derive(Debug)]
pub(crate) struct Stream {
    /// `Some` until the stream is dropped.
    socket: Option<TcpStream>,
    connection: Arc<Connection>,
    /// The client has closed its end.
    ended: bool,
    leftover: Leftover,
}

/// The socket of a stream that was dropped before the client had closed its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leftover(Arc<Mutex<Option<TcpStream>>>);

impl Leftover {
    /// Closes this end, then reads and discards at most `max` bytes until the client closes its end. If the socket
    /// were closed while the client still sends, the client would see a reset instead of its answer.
    pub(crate) async fn linger(self, max: usize) {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(socket) = socket else { return };
        if rustix::net::shutdown(&socket, Shutdown::Write).is_err() {
            return;
        }
        let (mut discarded, mut buffer) = (0, vec![0; DISCARD_BUFFER]);
        while discarded < max && socket.readable().await.is_ok() {
            match socket.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => discarded += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl Stream {
    /// The stream, and where its socket will be after its drop.
    pub(crate) fn new(socket: TcpStream, connection: Arc<Connection>) -> (Self, Leftover) {
        let leftover = Leftover::default();
        let shared = leftover.clone();
        (Self { socket: Some(socket), connection, ended: false, leftover }, shared)
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

    /// Does nothing: a socket has no buffer here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: [`Leftover::linger`] closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
