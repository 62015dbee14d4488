use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{TlsError, client_config};

/// TLS as [`client_config`] checks it. An error names the parameter of the URL to correct.
pub(super) fn connector(file: Option<&str>) -> Result<MakeRustlsConnect, String> {
    let config = client_config(file).map_err(|error| match error {
        TlsError::File { .. } => format!("sslrootcert={error}"),
        TlsError::NoCertificates => format!("{error}: give sslrootcert=FILE"),
        TlsError::Rustls(_) => error.to_string(),
    })?;
    Ok(MakeRustlsConnect::new(config))
}
