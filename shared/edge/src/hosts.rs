use std::net::IpAddr;

use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header, uri::Authority};

/// The names of a listener. Requests for another name are refused, and so are requests that change something and
/// come from a page of another site. A browser would send either kind for any web page.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Vec<String>,
    private: bool,
    origins: Vec<String>,
    /// The paths below which pages of these origins may change something.
    writable: &'static [&'static str],
}

/// Why a request is refused. The text continues the name of the header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// The request names no host, several hosts, or a host that cannot be read.
    #[error("must name one host once, as in `Host: localhost`")]
    NoHost,
    /// The request is for a host that is not this listener.
    #[error(
        "names a host that is not served here; use an address or a name of this service, or add the \
         name to {setting}"
    )]
    OtherHost {
        /// The setting that has the names.
        setting: &'static str,
    },
    /// The request changes something and comes from a page of another site.
    #[error(
        "says that another site's page sends this request, which may change nothing here; send it from \
         a page of this site, or without a browser"
    )]
    OtherSite {
        /// The header that names the other site.
        header: &'static str,
    },
}

impl Foreign {
    /// 400, 403 or 421.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::OtherHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherSite { .. } => StatusCode::FORBIDDEN,
        }
    }

    /// The header that is wrong.
    #[must_use]
    pub fn header(&self) -> &'static str {
        match self {
            Self::NoHost | Self::OtherHost { .. } => "Host",
            Self::OtherSite { header } => header,
        }
    }
}

impl Hosts {
    /// The names of a public listener. Without names, requests for any name are answered.
    #[must_use]
    pub fn public(names: &[String]) -> Self {
        Self { names: lower(names), ..Self::default() }
    }

    /// The names of a listener for operators: these names, all IP addresses, and all names without a dot, such as
    /// `localhost` or that of a container. An attacker can make names of an own site point to this listener, but
    /// cannot own a name without a dot.
    #[must_use]
    pub fn private(names: &[String]) -> Self {
        Self { names: lower(names), private: true, ..Self::default() }
    }

    /// Allows pages of these origins (`https://shop.example`) to change something below these paths.
    #[must_use]
    pub fn with_origins(mut self, origins: &[String], writable: &'static [&'static str]) -> Self {
        self.origins = lower(origins);
        self.writable = writable;
        self
    }

    /// Succeeds if the request may be answered.
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn check(
        &self,
        method: &Method,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<(), Foreign> {
        if self.private || !self.names.is_empty() {
            self.check_host(uri, version, headers)?;
        }
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        self.check_site(uri, headers)
    }

    fn check_host(&self, uri: &Uri, version: Version, headers: &HeaderMap) -> Result<(), Foreign> {
        let mut given = headers.get_all(header::HOST).iter();
        let Some(first) = given.next() else {
            // HTTP/1.0 has no `Host`, and no browser uses it.
            let old = version == Version::HTTP_10 && uri.authority().is_none();
            return if old { Ok(()) } else { Err(Foreign::NoHost) };
        };
        if given.next().is_some() {
            return Err(Foreign::NoHost);
        }
        let host = first.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        let host = host.ok_or(Foreign::NoHost)?;
        // The target of `GET http://host/` has precedence over the header (RFC 9112, 3.2.2).
        let asked = [Some(&host), uri.authority()];
        if asked.into_iter().flatten().all(|authority| self.serves(authority.host())) {
            return Ok(());
        }
        let setting = if self.private { "http.admin_hosts" } else { "http.hosts" };
        Err(Foreign::OtherHost { setting })
    }

    fn serves(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.');
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let own = self.private && (bare.parse::<IpAddr>().is_ok() || !name.contains('.'));
        own || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Checks the site of the page that sends a request. Browsers name it by `Sec-Fetch-Site`; old ones have only
    /// `Origin`.
    fn check_site(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = text("origin");
        let is_allowed =
            |origin: &str| self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
        let is_below = |path: &&str| {
            let rest = uri.path().strip_prefix(*path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if origin.is_some_and(is_allowed) && self.writable.iter().any(is_below) {
            return Ok(());
        }
        match (text("sec-fetch-site"), origin) {
            (Some("same-origin" | "none"), _) | (None, None) => Ok(()),
            (Some(_), _) => Err(Foreign::OtherSite { header: "Sec-Fetch-Site" }),
            (None, Some(origin)) => {
                let host = uri.authority().map(Authority::as_str).or_else(|| text("host"));
                let own = origin.split_once("://").map(|(_, authority)| authority);
                let same = own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host));
                same.then_some(()).ok_or(Foreign::OtherSite { header: "Origin" })
            }
        }
    }
}

fn lower(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim_end_matches(['.', '/']).to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a request with these headers; 200 if it may be answered.
    fn status(hosts: &Hosts, method: &Method, pairs: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let checked = hosts.check(method, &Uri::from_static("/x"), Version::HTTP_11, &headers);
        if let Err(foreign) = &checked {
            assert!(!foreign.to_string().contains(['{', '}']), "{foreign}");
        }
        checked.map_or_else(|foreign| foreign.status().as_u16(), |()| 200)
    }

    fn status_for(hosts: &Hosts, host: &str) -> u16 {
        status(hosts, &Method::GET, &[("host", host)])
    }

    #[test]
    fn a_private_listener_has_addresses_names_without_a_dot_and_configured_names() {
        let admin = Hosts::private(&["ops.example".to_owned()]);
        for fine in ["127.0.0.1:8180", "[::1]:8180", "localhost", "booking:8180", "OPS.example."] {
            assert_eq!(status_for(&admin, fine), 200, "{fine}");
        }
        for foreign in ["evil.example", "127.0.0.1.evil.example:8180", "localhost.evil.example"] {
            assert_eq!(status_for(&admin, foreign), 421, "{foreign}");
        }
        for none in ["", "a b", "a/b"] {
            assert_eq!(status_for(&admin, none), 400, "{none:?}");
        }
        assert_eq!(status(&admin, &Method::GET, &[]), 400);
        assert_eq!(status(&admin, &Method::GET, &[("host", "a"), ("host", "b")]), 400);
    }

    #[test]
    fn the_target_of_the_request_is_checked_as_well_as_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost".parse().unwrap());
        let target = Uri::from_static("http://evil.example/x");
        let hosts = Hosts::private(&[]);
        let checked = hosts.check(&Method::GET, &target, Version::HTTP_11, &headers);
        assert_eq!(checked, Err(Foreign::OtherHost { setting: "http.admin_hosts" }));
    }

    #[test]
    fn a_public_listener_without_names_answers_to_any_name() {
        assert_eq!(status_for(&Hosts::public(&[]), "evil.example"), 200);
        let named = Hosts::public(&["shop.example".to_owned()]);
        assert_eq!(status_for(&named, "shop.example:443"), 200);
        assert_eq!(status_for(&named, "127.0.0.1"), 421);
    }

    #[test]
    fn pages_of_other_sites_may_change_nothing() {
        let hosts = Hosts::public(&[]).with_origins(&["https://app.example/".to_owned()], &["/x"]);
        let post = |pairs: &[(&'static str, &str)]| {
            let host = [("host", "shop.example")];
            status(&hosts, &Method::POST, &[&host[..], pairs].concat())
        };
        for site in ["cross-site", "same-site", "nonsense"] {
            assert_eq!(post(&[("sec-fetch-site", site)]), 403, "{site}");
        }
        for site in ["same-origin", "none"] {
            assert_eq!(post(&[("sec-fetch-site", site), ("origin", "https://x.example")]), 200);
        }
        assert_eq!(post(&[]), 200);
        for origin in ["https://evil.example", "null", "https://shop.example.evil.example"] {
            assert_eq!(post(&[("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(post(&[("origin", "https://shop.example")]), 200);
        let allowed = [("sec-fetch-site", "cross-site"), ("origin", "https://APP.example")];
        assert_eq!(post(&allowed), 200);
        let elsewhere = Hosts { writable: &["/xy", "/"], ..hosts.clone() };
        assert_eq!(status(&elsewhere, &Method::POST, &allowed), 403);
        let read = [("host", "shop.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(status(&hosts, &Method::GET, &read), 200);
    }
}
