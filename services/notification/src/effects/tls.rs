//! TLS towards the mail server, in builds with the cargo feature `tls`.

use std::io;

use super::wire::Wire;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[cfg(not(feature = "tls"))]
    #[error(
        "this build speaks no TLS; build it with `cargo build --release -p notification \
         --features notification/tls`"
    )]
    NotBuilt,
    #[cfg(feature = "tls")]
    #[error("{host} is no name that a certificate can have")]
    Name { host: String },
    #[cfg(feature = "tls")]
    #[error("smtp.certificates: {0}")]
    Certificates(#[from] quintet::store::tls::TlsError),
}

/// Encrypts connections to the server. Checks the server's certificate and its name.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(super) struct Tls {
    connector: tokio_rustls::TlsConnector,
    name: tokio_rustls::rustls::pki_types::ServerName<'static>,
}

#[cfg(feature = "tls")]
impl Tls {
    /// TLS for connections to this host, trusting the CA certificates of this file or of the system.
    pub(super) fn towards(host: &str, file: Option<&str>) -> Result<Self, TlsError> {
        let name = host.to_owned().try_into();
        let name = name.map_err(|_| TlsError::Name { host: host.to_owned() })?;
        let config = std::sync::Arc::new(quintet::store::tls::client_config(file)?);
        Ok(Self { connector: config.into(), name })
    }

    /// Encrypts this connection.
    pub(super) async fn over(&self, wire: Wire) -> io::Result<Wire> {
        Ok(Box::new(self.connector.connect(self.name.clone(), wire).await?))
    }
}

/// Has no values: this build has no TLS.
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
pub(super) enum Tls {}

#[cfg(not(feature = "tls"))]
impl Tls {
    /// Refuses: this build has no TLS.
    pub(super) fn towards(_: &str, _: Option<&str>) -> Result<Self, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Cannot be called, because no value exists.
    #[expect(clippy::unused_async, reason = "the same as with the feature `tls`")]
    pub(super) async fn over(&self, _: Wire) -> io::Result<Wire> {
        match *self {}
    }
}
