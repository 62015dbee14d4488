//! Which web pages may call the service: cross-origin resource sharing (CORS).

use std::time::Duration;

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue, Method, Uri,
        header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, LOCATION, RETRY_AFTER},
        request::Parts,
    },
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to a preflight request.
const REMEMBERED: Duration = Duration::from_mins(10);
/// The headers that a page may send beside those that every page may send.
const HEADERS: [&str; 5] =
    ["idempotency-key", "last-event-id", "traceparent", "tracestate", "x-request-id"];

/// Lets pages of these origins read all answers of the router, and change something below the paths in `writes`. Without
/// origins the router stays as it is, and browsers let no page of another origin call it.
pub fn with_origins(router: Router, origins: &[String], writes: &'static [&'static str]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let origins = origins.to_vec();
    let allowed = move |origin: &HeaderValue, request: &Parts| {
        origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            && is_open(request, writes)
    };
    let headers = HEADERS.map(HeaderName::from_static).into_iter().chain([CONTENT_TYPE]);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(headers.collect::<Vec<_>>())
        .expose_headers([LOCATION, RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(REMEMBERED);
    router.layer(cors)
}

/// Whether a page may send this request. Of a preflight request it is whether a page may send the announced one.
fn is_open(request: &Parts, writes: &[&str]) -> bool {
    let preflight = request.headers.get(ACCESS_CONTROL_REQUEST_METHOD);
    let method = match preflight.filter(|_| request.method == Method::OPTIONS) {
        Some(announced) => announced.as_bytes(),
        None => request.method.as_str().as_bytes(),
    };
    let path = request.uri.path();
    let within = |prefix: &&str| {
        path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [b"GET".as_slice(), b"HEAD"].contains(&method) || writes.iter().any(within)
}

/// Whether the text has the form in which browsers send the header `Origin`.
pub(crate) fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (scheme, authority) = (uri.scheme_str(), uri.authority());
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (scheme, authority) else {
        return false;
    };
    let lower = text == text.to_ascii_lowercase();
    lower && !authority.as_str().contains('@') && text == format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for right in ["https://shop.example", "http://localhost:3000", "http://[::1]:8080"] {
            assert!(is_origin(right), "{right}");
        }
        for wrong in [
            "",
            "*",
            "null",
            "shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://Shop.example",
            "https://me@shop.example",
            "ftp://shop.example",
            "https://",
        ] {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }
}
