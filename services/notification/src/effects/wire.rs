use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, with or without TLS.
pub(super) type Wire = Box<dyn Duplex>;

/// A stream that can be read and written.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
