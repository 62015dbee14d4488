//! Addresses of providers, as settings give them.

use anyhow::{Context, bail, ensure};
use reqwest::Url;

/// Reads the address of a provider that is asked over HTTP.
///
/// # Errors
/// If it is no `http://` URL with a host, or `https://` in a build without TLS.
pub fn provider_url(text: &str) -> anyhow::Result<Url> {
    let url: Url = text
        .parse()
        .with_context(|| format!("{text:?} is no URL; give one such as http://HOST:PORT"))?;
    match url.scheme() {
        "http" => {}
        "https" => ensure!(
            cfg!(feature = "tls"),
            "{text:?} needs TLS, which this build does not have: build with --features tls, or give \
             an http:// URL"
        ),
        other => bail!("{text:?}: {other} cannot be asked; give an http:// or https:// URL"),
    }
    ensure!(url.has_host(), "{text:?} names no host");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_over_http() {
        assert_eq!(provider_url("http://gateway:8090/v1/").unwrap().path(), "/v1/");
        for wrong in
            ["file:///etc/passwd", "ftp://gateway", "gateway:8090", "gateway", "", "http://"]
        {
            let error = format!("{:#}", provider_url(wrong).unwrap_err());
            assert!(error.contains("http://"), "{wrong}: {error}");
        }
        assert_eq!(provider_url("https://gateway").is_ok(), cfg!(feature = "tls"));
    }
}
