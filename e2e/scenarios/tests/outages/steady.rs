//! Orders that keep coming, whatever the answers.

use std::time::Duration;

use contracts::OrderId;
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use reqwest::{Method, StatusCode};
use scenarios::{Answer, NewOrder, Visitor};
use tokio::time::{MissedTickBehavior, interval};

/// From one order to the next.
const PACE: Duration = Duration::from_millis(100);
const BURST: usize = 16;
const BURST_WITHIN: Duration = Duration::from_secs(10);

/// What customers were answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) accepted: Vec<OrderId>,
    /// 503 and 429.
    pub(crate) refused: usize,
    /// The connection broke, or nothing came within a minute.
    pub(crate) silence: usize,
}

/// Ten orders a second as long as `during` takes, each asked for once; returns when all were answered.
/// What is no acceptance must say that it is to be asked again.
pub(crate) async fn orders(
    visitor: &Visitor,
    order: &NewOrder,
    during: impl Future<Output = ()>,
) -> Answers {
    let (mut answers, mut asked) = (Answers::default(), FuturesUnordered::new());
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(during);
    loop {
        tokio::select! {
            () = &mut during => break,
            _ = ticks.tick() => asked.push(ask(visitor, order)),
            Some(answer) = asked.next() => answers.note(visitor, answer),
        }
    }
    while let Some(answer) = asked.next().await {
        answers.note(visitor, answer);
    }
    answers
}

async fn ask(visitor: &Visitor, order: &NewOrder) -> Option<Answer> {
    Answer::to(visitor.request_to_order(Method::POST, "/orders").json(&order.0)).await
}

/// Many orders at once, each asked for once, and their answers; who has none after ten seconds goes away.
pub(crate) async fn burst(visitor: &Visitor, order: &NewOrder) -> Vec<Answer> {
    let asked = (0..BURST).map(|_| {
        let request = visitor.request_to_order(Method::POST, "/orders").json(&order.0);
        Answer::to(request.timeout(BURST_WITHIN))
    });
    let answers: Vec<Answer> = join_all(asked).await.into_iter().flatten().collect();
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
                is_a_clear_refusal(&answer);
                self.refused += 1;
            }
            None => self.silence += 1,
        }
    }
}

/// 503 or 429, a problem, and when to ask again.
pub(crate) fn is_a_clear_refusal(answer: &Answer) {
    let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    assert!(later.contains(&answer.status), "{answer:?}");
    assert_eq!(answer.content_type, "application/problem+json", "{answer:?}");
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{answer:?}");
    let seconds = answer.retry_after.as_deref().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{answer:?}");
}
