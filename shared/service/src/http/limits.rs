//! The guarantees for every request: it has an id, and it is answered within a time, even if its handler panics.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use clock::uuid_v7;
use engine::Participant;
use futures::FutureExt;
use tokio::time::timeout;

use super::{Failure, Problem};
use crate::App;

/// The longest time until the answer begins.
const ANSWER: Duration = Duration::from_secs(30);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id of a client that is used, in characters.
const LONGEST_ID: usize = 128;

/// Answers 503 if the answer does not begin within [`ANSWER`].
pub(crate) async fn limit_time(answer: impl Future<Output = Response>) -> Response {
    let answer = timeout(ANSWER, answer).await;
    answer.unwrap_or_else(|_| Problem::from(Failure::TooSlow).into_response())
}

/// Answers 500 if the handler panics. Without this the connection would break off, and with it other requests of HTTP/2.
pub(crate) async fn without_panic(answer: impl Future<Output = Response>) -> Response {
    // The future is dropped after a panic, so its state cannot be used in between.
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::from(Failure::Failed).into_response())
}

/// Makes sure that the request has an id, and gives the answer the same. The client's own id is used if it is printable.
pub(crate) async fn with_request_id<P: Participant, A: Future<Output = Response>>(
    app: &App<P>,
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|id| is_printable(id)).cloned();
    let id = given.unwrap_or_else(|| new_id(app));
    request.headers_mut().insert(REQUEST_ID.clone(), id.clone());
    let mut response = answer(request).await;
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    response
}

fn is_printable(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

fn new_id<P: Participant>(app: &App<P>) -> HeaderValue {
    let id = uuid_v7(&*app.clock, &*app.random).to_string();
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_handler_is_answered_500() {
        let answer = without_panic(async { panic!("a mistake of ours") }).await;
        assert_eq!(answer.status(), 500);
    }
}
