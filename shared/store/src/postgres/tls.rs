use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{TlsError, client_config};

/// Checks the server's certificate and its name against the certificates in `file`, else against
/// the system's.
pub(super) fn connector(file: Option<&str>) -> Result<MakeRustlsConnect, String> {
    let config = client_config(file).map_err(|error| match error {
        TlsError::File { .. } => format!("sslrootcert={error}"),
        TlsError::NoCertificates => format!("{error}: give sslrootcert=FILE"),
        TlsError::Rustls(_) => error.to_string(),
    })?;
    Ok(MakeRustlsConnect::new(config))
}
