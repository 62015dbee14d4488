//! What holds for every request: an id, a bound on its time, and an answer.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use clock::uuid_v7;
use engine::{CommandError, Participant};
use futures::FutureExt;
use tokio::time::timeout;

use super::Problem;
use crate::App;

/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(30);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over, in characters.
const LONGEST_ID: usize = 128;

/// Answers in time, if only to say that it takes too long.
pub(crate) async fn limit_time(answer: impl Future<Output = Response>) -> Response {
    let late = "it takes too long; send it again later, a change under the same Idempotency-Key";
    let problem = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, late).retry_after(1);
    timeout(ANSWER, answer).await.unwrap_or_else(|_| problem().into_response())
}

/// Answers also if a handler panics.
pub(crate) async fn without_panic(answer: impl Future<Output = Response>) -> Response {
    // Nothing of it is used again.
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::from(CommandError::Failed).into_response())
}

/// Gives the request an id, unless it brings one that can be printed, and its answer the same.
pub(crate) async fn with_request_id<P: Participant, A: Future<Output = Response>>(
    app: &App<P>,
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let brought = request.headers().get(&REQUEST_ID).filter(|id| is_printable(id)).cloned();
    let id = brought.unwrap_or_else(|| made(app));
    request.headers_mut().insert(REQUEST_ID.clone(), id.clone());
    let mut response = answer(request).await;
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    response
}

fn is_printable(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

fn made<P: Participant>(app: &App<P>) -> HeaderValue {
    let id = uuid_v7(&*app.clock, &*app.random).to_string();
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for() {
        let answer = without_panic(async { panic!("a mistake of ours") }).await;
        assert_eq!(answer.status(), 500);
    }
}
