//! TLS towards a server, by rustls.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of certificates cannot be read.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: pem::Error,
    },
    /// Nothing vouches for any server.
    #[error("there are no certificates to check the server's against")]
    NoCertificates,
    /// Something is wrong with rustls itself.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Checks a server's certificate and its name against the certificates in `file`, else against the
/// system's.
///
/// # Errors
/// [`TlsError`], mostly about the file.
pub fn client_config(file: Option<&str>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(match file {
        Some(file) => {
            of_file(file).map_err(|source| TlsError::File { file: file.to_owned(), source })?
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

fn of_file(file: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}
