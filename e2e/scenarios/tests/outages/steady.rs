//! Orders that arrive at a steady rate, whatever the answers to earlier ones.

use std::time::Duration;

use contracts::OrderId;
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use reqwest::{Method, StatusCode};
use scenarios::{Answer, NewOrder, Visitor};
use tokio::time::{MissedTickBehavior, interval};

/// The time from one order to the next.
const PACE: Duration = Duration::from_millis(100);
const BURST: usize = 16;
const BURST_WITHIN: Duration = Duration::from_secs(10);

/// The answers to the orders.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) accepted: Vec<OrderId>,
    /// The number of answers 503 and 429.
    pub(crate) refused: usize,
    /// The number of orders without an answer, because the connection broke or a minute had passed.
    pub(crate) unanswered: usize,
}

/// Places ten orders a second for as long as `during` takes. No request is repeated. Returns when all have been answered, and
/// asserts that each answer accepts the order or asks to repeat the request later.
pub(crate) async fn orders(
    visitor: &Visitor,
    order: &NewOrder,
    during: impl Future<Output = ()>,
) -> Answers {
    let (mut answers, mut requests) = (Answers::default(), FuturesUnordered::new());
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(during);
    loop {
        tokio::select! {
            () = &mut during => break,
            _ = ticks.tick() => requests.push(post(visitor, order)),
            Some(answer) = requests.next() => answers.note(visitor, answer),
        }
    }
    while let Some(answer) = requests.next().await {
        answers.note(visitor, answer);
    }
    answers
}

async fn post(visitor: &Visitor, order: &NewOrder) -> Option<Answer> {
    Answer::to(visitor.request_to_order(Method::POST, "/orders").json(&order.0)).await
}

/// Places many orders at once, and returns the answers that arrive within ten seconds. No request is repeated.
pub(crate) async fn burst(visitor: &Visitor, order: &NewOrder) -> Vec<Answer> {
    let requests = (0..BURST).map(|_| {
        let request = visitor.request_to_order(Method::POST, "/orders").json(&order.0);
        Answer::to(request.timeout(BURST_WITHIN))
    });
    let answers: Vec<Answer> = join_all(requests).await.into_iter().flatten().collect();
    for accepted in answers.iter().filter(|answer| answer.status == StatusCode::ACCEPTED) {
        visitor.remember(accepted);
    }
    answers
}

impl Answers {
    fn note(&mut self, visitor: &Visitor, answer: Option<Answer>) {
        match answer {
            Some(answer) if answer.status == StatusCode::ACCEPTED => {
                self.accepted.push(visitor.remember(&answer));
            }
            Some(answer) => {
                assert_clear_refusal(&answer);
                self.refused += 1;
            }
            None => self.unanswered += 1,
        }
    }
}

/// Asserts that an answer is 503 or 429, with a problem as its body, and says when to repeat the request.
pub(crate) fn assert_clear_refusal(answer: &Answer) {
    let try_later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    assert!(try_later.contains(&answer.status), "{answer:?}");
    assert_eq!(answer.content_type, "application/problem+json", "{answer:?}");
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{answer:?}");
    let seconds = answer.retry_after.as_deref().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{answer:?}");
}
