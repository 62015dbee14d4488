//! Reads the addresses of providers from settings.

use anyhow::{anyhow, bail, ensure};
use reqwest::Url;

/// Reads the address of a provider with an HTTP API.
///
/// # Errors
/// If the text is no `http://` URL with a host, or is an `https://` URL in a build without TLS; if it has a query or
/// a fragment, which requests would lose, or a user or password that would be sent in clear.
pub fn provider_url(text: &str) -> anyhow::Result<Url> {
    let url: Url =
        text.parse().map_err(|error| anyhow!("{error}; give a URL such as http://HOST:PORT"))?;
    match url.scheme() {
        "http" => {}
        "https" => ensure!(
            cfg!(feature = "tls"),
            "{text:?} needs TLS, which this build does not have: build with --features tls, or give \
             an http:// URL"
        ),
        _ => bail!("{text:?} is no HTTP address; give a URL that begins with http:// or https://"),
    }
    ensure!(url.has_host(), "{text:?} names no host; give a URL such as http://HOST:PORT");
    ensure!(
        url.query().is_none() && url.fragment().is_none(),
        "{text:?} has a query or a fragment, which requests would lose: give http://HOST:PORT/PATH \
         without ? and #"
    );
    let names_a_user = !url.username().is_empty() || url.password().is_some();
    ensure!(
        !names_a_user || url.scheme() == "https",
        "user and password would be sent in clear: give an https:// URL, which takes a build with \
         --features tls, or a URL without them"
    );
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_an_http_url_with_a_host() {
        assert_eq!(provider_url("http://gateway:8090/v1/").unwrap().path(), "/v1/");
        for wrong in
            ["file:///etc/passwd", "ftp://gateway", "gateway:8090", "gateway", "", "http://"]
        {
            let error = format!("{:#}", provider_url(wrong).unwrap_err());
            assert!(error.contains("http://"), "{wrong}: {error}");
        }
        assert_eq!(provider_url("https://gateway").is_ok(), cfg!(feature = "tls"));
    }

    #[test]
    fn a_query_a_fragment_or_a_password_in_clear_is_refused() {
        for (wrong, why) in [
            ("http://gateway/?a=b", "query"),
            ("http://gateway/#b", "fragment"),
            ("http://me:secret@127.0.0.1", "in clear"),
            ("http://me@gateway", "in clear"),
        ] {
            let error = provider_url(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
        assert_eq!(provider_url("https://me:secret@gateway").is_ok(), cfg!(feature = "tls"));
    }
}
