use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::AbortHandle;

use crate::{counts::Reason, serve::Limits};

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The head of a request.
    Head,
    /// The next request.
    Idle,
    /// The answer to a request, or the reading of that answer.
    Busy,
    /// The client, to close its end.
    Closing,
    /// Nothing: it is closed.
    Gone,
}

const PHASES: [Phase; 5] = [Phase::Head, Phase::Idle, Phase::Busy, Phase::Closing, Phase::Gone];
const PHASE_BITS: u32 = 3;

/// The state of a connection, by which the crowd decides when to close it. Times are milliseconds of the crowd's
/// clock, which is read about once a second: a request neither reads a clock nor sets a timer.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) listener: &'static str,
    pub(crate) limits: Limits,
    now: Arc<AtomicU64>,
    /// The phase, and the time at which it began.
    phase: AtomicU64,
    /// The time since when the client has not read its answer; 0 while it reads.
    stalled: AtomicU64,
    /// Whether the request has a body that was not read to its end.
    unread: AtomicBool,
    task: OnceLock<AbortHandle>,
}

impl Connection {
    pub(crate) fn new(listener: &'static str, limits: Limits, now: Arc<AtomicU64>) -> Self {
        let phase = AtomicU64::new(packed(Phase::Head, now.load(Relaxed)));
        let (stalled, unread, task) = (AtomicU64::new(0), AtomicBool::new(false), OnceLock::new());
        Self { listener, limits, now, phase, stalled, unread, task }
    }

    /// Sets the task that serves the connection, to abort it when the connection is closed.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        // Called once for each connection.
        let _ = self.task.set(task);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(packed(phase, self.now.load(Relaxed)), Relaxed);
    }

    /// Whether a part of the request's body was not read. Then the connection cannot be used for another request.
    pub(crate) fn is_left_unread(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// Bytes were received. Between two requests the first of them begin the next head.
    pub(crate) fn received(&self) {
        if unpacked(self.phase.load(Relaxed)).0 == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// A write was accepted (`progress`), or has to wait until the client reads.
    pub(crate) fn wrote(&self, progress: bool) {
        let stalled = self.stalled.load(Relaxed);
        if progress && stalled != 0 {
            self.stalled.store(0, Relaxed);
        } else if !progress && stalled == 0 {
            self.stalled.store(self.now.load(Relaxed).max(1), Relaxed);
        }
    }

    /// The time since when the connection has waited for its client to send a request or to read its answer. `None`
    /// if it does not wait for its client.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let (phase, since) = unpacked(self.phase.load(Relaxed));
        let stalled = self.stalled.load(Relaxed);
        match phase {
            Phase::Gone => None,
            Phase::Busy => (stalled != 0).then_some(stalled),
            Phase::Head | Phase::Idle | Phase::Closing => Some(since),
        }
    }

    /// The time limit that the connection has exceeded at `now`, if there is one.
    pub(crate) fn overdue(&self, now: u64) -> Option<Reason> {
        let (phase, since) = unpacked(self.phase.load(Relaxed));
        let late = |since: u64, limit: std::time::Duration| {
            u128::from(now.saturating_sub(since)) > limit.as_millis()
        };
        let stalled = self.stalled.load(Relaxed);
        match phase {
            Phase::Gone => None,
            _ if stalled != 0 && late(stalled, self.limits.write) => Some(Reason::Write),
            Phase::Head if late(since, self.limits.head) => Some(Reason::Head),
            Phase::Idle if late(since, self.limits.idle) => Some(Reason::Idle),
            Phase::Closing if late(since, self.limits.write) => Some(Reason::Write),
            _ => None,
        }
    }

    /// Closes the connection at once.
    pub(crate) fn close(&self) {
        self.enter(Phase::Gone);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

fn packed(phase: Phase, since: u64) -> u64 {
    since << PHASE_BITS | phase as u64
}

fn unpacked(packed: u64) -> (Phase, u64) {
    let index = packed & ((1 << PHASE_BITS) - 1);
    let phase = usize::try_from(index).ok().and_then(|index| PHASES.get(index));
    (phase.copied().unwrap_or(Phase::Gone), packed >> PHASE_BITS)
}

/// The body of a request, which notes for its connection whether it was read to its end.
pub(crate) struct RequestBody {
    body: Incoming,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, connection: Arc<Connection>) -> Self {
        connection.unread.store(!body.is_end_stream(), Relaxed);
        Self { body, connection }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.connection.unread.store(false, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. When it has been sent or is dropped, its connection waits for the next request.
pub(crate) struct AnswerBody {
    body: Body,
    connection: Arc<Connection>,
}

impl AnswerBody {
    pub(crate) fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.enter(Phase::Idle);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn connection() -> (Connection, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(1_000));
        let limits = Limits {
            head: Duration::from_millis(10),
            idle: Duration::from_millis(100),
            write: Duration::from_millis(20),
            ..Limits::default()
        };
        (Connection::new("public", limits, Arc::clone(&now)), now)
    }

    #[test]
    fn each_phase_has_its_time_limit() {
        let (connection, now) = connection();
        assert_eq!(connection.overdue(1_010), None);
        assert_eq!(connection.overdue(1_011), Some(Reason::Head));
        connection.enter(Phase::Busy);
        assert_eq!(connection.overdue(1_000_000), None, "an answer has no limit");
        now.store(2_000, Relaxed);
        connection.enter(Phase::Idle);
        assert_eq!(connection.overdue(2_100), None);
        assert_eq!(connection.overdue(2_101), Some(Reason::Idle));
        now.store(2_050, Relaxed);
        connection.received();
        now.store(2_058, Relaxed);
        connection.received();
        assert_eq!(connection.overdue(2_061), Some(Reason::Head), "more bytes do not extend it");
    }

    #[test]
    fn only_a_client_that_does_not_read_its_answer_is_over_the_limit() {
        let (connection, now) = connection();
        connection.enter(Phase::Busy);
        connection.wrote(false);
        now.store(1_020, Relaxed);
        connection.wrote(false);
        assert_eq!(connection.overdue(1_021), Some(Reason::Write));
        connection.wrote(true);
        assert_eq!(connection.overdue(1_021), None);
    }

    #[test]
    fn only_a_connection_that_waits_for_its_client_can_be_replaced() {
        let (connection, now) = connection();
        assert_eq!(connection.waits_since(), Some(1_000));
        connection.enter(Phase::Busy);
        assert_eq!(connection.waits_since(), None);
        now.store(1_004, Relaxed);
        connection.wrote(false);
        assert_eq!(connection.waits_since(), Some(1_004));
        connection.wrote(true);
        assert_eq!(connection.waits_since(), None);
        now.store(1_005, Relaxed);
        let connection = Arc::new(connection);
        drop(AnswerBody::new(Body::empty(), Arc::clone(&connection)));
        assert_eq!(connection.waits_since(), Some(1_005));
        connection.close();
        assert_eq!(connection.waits_since(), None);
    }
}
