use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, with or without TLS.
pub(super) type Wire = Box<dyn Duplex>;

/// What a connection is read from and written to.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
