//! Bounds the bodies of requests: each in size and time, and all together in memory.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, rejection::BytesRejection},
};
use edge::{Exceeded, Quota, Share};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::{Failure, Problem, Room};

/// The largest body, in bytes. A command of a hundred lines fits, even with all its texts escaped.
pub(crate) const LARGEST: usize = 32 * 1024;
/// How long a body may take to arrive.
const TIME: Duration = Duration::from_secs(10);

/// The client that all bodies are counted for: they have one quota, and none for each client.
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Bounds the body. It is not read before the route asks for it, so a request that is refused by its head costs no
/// memory.
///
/// # Errors
/// 413 if the head says that the body is too large.
pub(crate) fn limit_body(request: Request, room: &Room) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let announced = request.body().size_hint().exact();
    if announced.is_some_and(|length| length > LARGEST as u64) {
        return Err(Upload::TooLarge.problem());
    }
    let quota = Arc::clone(&room.bodies);
    Ok(request.map(|body| Body::new(Bounded::new(body, quota, TIME))))
}

/// The bound that a body exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Upload {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body did not come in time")]
    Late,
    #[error("too many bodies are on their way")]
    Crowded(Exceeded),
}

impl Upload {
    fn problem(self) -> Problem {
        match self {
            Self::TooLarge => Failure::TooLarge.with(&[("bytes", &LARGEST.to_string())]),
            Self::Late => Failure::LateBody.with(&[("time", &format!("{TIME:?}"))]),
            Self::Crowded(_) => Failure::BodiesCrowded.into(),
        }
    }
}

/// The problem of a body that could not be read: the bound that it exceeds, or that it broke off.
pub(crate) fn broken_body(error: &BytesRejection) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(upload) = error.downcast_ref::<Upload>() {
            return upload.problem();
        }
        cause = error.source();
    }
    Failure::BrokenBody.into()
}

/// A body that ends with an error when it exceeds a bound.
struct Bounded {
    body: Body,
    /// How many more bytes it may have.
    left: usize,
    quota: Arc<Quota>,
    /// Its share of the memory for bodies, until it is dropped.
    share: Option<Share>,
    time: Duration,
    /// The end of its time. The timer starts when the route first has to wait, so that a body that has arrived with its
    /// head needs none.
    late: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    fn new(body: Body, quota: Arc<Quota>, time: Duration) -> Self {
        Self { body, left: LARGEST, quota, share: None, time, late: None }
    }

    fn take(&mut self, amount: usize) -> Result<(), Upload> {
        self.left = self.left.checked_sub(amount).ok_or(Upload::TooLarge)?;
        match &mut self.share {
            Some(share) => share.grow(amount),
            None => self.quota.take(ANY, amount).map(|share| self.share = Some(share)),
        }
        .map_err(Upload::Crowded)
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let time = self.time;
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(time)));
            ready!(late.as_mut().poll(cx));
            return Poll::Ready(Some(Err(axum::Error::new(Upload::Late))));
        };
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        Poll::Ready(match self.take(length) {
            Ok(()) => frame,
            Err(upload) => Some(Err(axum::Error::new(upload))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequest;
    use edge::Proxies;
    use futures::{StreamExt, stream};

    use super::*;
    use crate::http::{Streams, Waiting};

    fn room(bodies: usize) -> Room {
        let streams = Streams { all: 1, each: 0 };
        Room::new(Proxies::default(), streams, 1, Waiting { bodies, answers: 1 })
    }

    async fn read(body: Body, room: &Room) -> Result<usize, u16> {
        let request = limit_body(Request::new(body), room).map_err(|problem| problem.status)?;
        let read = Bytes::from_request(request, &()).await;
        read.map(|bytes| bytes.len()).map_err(|error| broken_body(&error).status)
    }

    /// A body of this length whose head does not announce its length.
    fn chunked(length: usize) -> Body {
        let chunk = || Ok::<_, std::io::Error>(vec![b' '; 1024]);
        Body::from_stream(stream::repeat_with(chunk).take(length / 1024))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        let room = room(1 << 20);
        assert_eq!(read(Body::from(vec![b' '; LARGEST]), &room).await, Ok(LARGEST));
        assert_eq!(read(Body::from(vec![b' '; LARGEST + 1]), &room).await, Err(413));
        assert_eq!(read(chunked(LARGEST), &room).await, Ok(LARGEST));
        assert_eq!(read(chunked(LARGEST + 1024), &room).await, Err(413));
        let broken = stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
        assert_eq!(read(Body::from_stream(broken), &room).await, Err(400));
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_in_time_is_given_up() {
        let endless = stream::iter([Ok::<_, std::io::Error>("{")]).chain(stream::pending());
        let quota = room(1 << 20).bodies;
        let body = Bounded::new(Body::from_stream(endless), quota, Duration::from_millis(1));
        let read = Bytes::from_request(Request::new(Body::new(body)), &()).await;
        assert_eq!(read.map_err(|error| broken_body(&error).status), Err(408));
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_limit() {
        let room = room(LARGEST);
        let waiting = stream::iter([Ok::<_, std::io::Error>(vec![b' '; LARGEST / 2])]);
        let first = read_first(Body::from_stream(waiting.chain(stream::pending())), &room).await;
        assert_eq!(read(chunked(LARGEST), &room).await, Err(503));
        assert_eq!(read(chunked(LARGEST / 2), &room).await, Ok(LARGEST / 2));
        drop(first);
        assert_eq!(read(chunked(LARGEST), &room).await, Ok(LARGEST));
    }

    /// Reads the first piece of a body.
    async fn read_first(body: Body, room: &Room) -> axum::body::BodyDataStream {
        let mut chunks =
            limit_body(Request::new(body), room).unwrap().into_body().into_data_stream();
        chunks.next().await.unwrap().unwrap();
        chunks
    }
}
