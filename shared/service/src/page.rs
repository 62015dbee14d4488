//! The security headers of the page under `/docs`.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// The page may load only its own files and send nothing elsewhere, and no other page may embed it. Inline styles are
/// allowed because Swagger UI writes styles into its elements.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    // The next version of the service may describe other routes in files of the same names.
    (header::CACHE_CONTROL, "no-cache"),
];

/// Adds the headers to a response.
pub(crate) async fn protect(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
