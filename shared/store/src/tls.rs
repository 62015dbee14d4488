//! TLS for connections to a server, by rustls.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of certificates cannot be read.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why it cannot be read.
        source: pem::Error,
    },
    /// There are no trusted certificates, so that no server could be trusted.
    #[error("there are no certificates to check the server's against")]
    NoCertificates,
    /// rustls refuses its configuration.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// A client that accepts a server whose certificate is for its name and is signed by one of the certificates in
/// `file`. Without a file the system's certificates are trusted.
///
/// # Errors
/// [`TlsError`], mostly about the file.
pub fn client_config(file: Option<&str>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(match file {
        Some(file) => {
            read(file).map_err(|source| TlsError::File { file: file.to_owned(), source })?
        }
        None => rustls_native_certs::load_native_certs().certs,
    });
    if roots.is_empty() {
        return Err(TlsError::NoCertificates);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn read(file: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}
