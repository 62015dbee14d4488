//! One subscriber: it catches up with a reader of its own, and switches to the hub without a gap or a repeat.
//!
//! # The switch
//!
//! For a partition p, let `c` be the offset at which the subscriber begins, `s` the next offset of its own reader, and
//! `e` the frontier: the next offset that the pump will publish. All are next offsets, so a record with a lower offset
//! was passed.
//!
//! Premises:
//!
//! 1. A reader returns each record of p from its start on exactly once, in ascending order, or fails (`bus::Reader`).
//! 2. The pump holds the lock of the frontier while it publishes a record to the hub and moves `e` past it. Its
//!    records of p ascend without a gap, by 1; where they do not, each subscriber is told `Reset`.
//! 3. The hub gives a subscriber each message that is published after its subscription and that its filter accepts, in
//!    order and once, or counts it in `Lagged` (`hub::core`).
//! 4. The subscriber joins the hub while it holds the lock of the frontier, and only if `s ≥ e` in each partition
//!    (`switch`). Its reader ends there. What this reader has returned and the subscriber has not delivered yet waits
//!    in `pending`, and comes first.
//! 5. `seen` is `c` at first, and is moved past each record that is delivered or that the filter refuses. A record of
//!    the hub that `seen` has passed is dropped.
//!
//! Conclusions, for the frontier `e` and the reader's offset `s` at the switch:
//!
//! 6. The reader returned the records of p in `c..s`, each once (1).
//! 7. The hub gives those with offsets from `e` on (2, 3, 4): before the lock was taken all lower ones had been
//!    published, and none from `e` on; after it was released all from `e` on are published to this subscriber too.
//! 8. *No gap*: `s ≥ e`, so each record from `c` on is in `c..s` or from `e` on.
//! 9. *No repeat*: records in `e..s` come from both. When one comes from the hub, all of `pending` was delivered (4),
//!    so `seen` is at `s` or beyond, and the record is dropped (5).
//! 10. *Order*: within `pending` and within the hub's queue offsets of p ascend (1, 2, 3); all of `pending` comes
//!     before all of the queue (4), and what is left of the queue starts at `s` (9).
//!
//! It holds for the filtered records too: reader and hub use the same filter. The lock makes 7 true, so the order of
//! the locks is frontier, then hub, everywhere.
//!
//! *That it switches at all*: `e` is never beyond the end of the bus, so while `s < e` the reader has a record to
//! return, and each read brings `s` nearer. While records come without a pause, the subscriber may read on by itself
//! for some time. That costs a reader, and loses nothing: a subscriber that catches up has no queue that could
//! overflow.
//!
//! # The cursor
//!
//! It says `seen`. Records that the filter refuses in the hub do not move `seen`, so it would become old while nothing
//! is delivered. But while nothing waits for the subscriber, all records before the frontier were delivered, refused
//! by its filter, or reported as missed, so `seen` may move to the frontier. Where `seen` is beyond the frontier, as
//! the other replica's pump was faster, it stays.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bus::{BusError, Incoming, Reader};
use tokio::sync::watch;

use super::pump::RETRY;
use super::{Cursor, Delivery, Reset, Shared, SubscribeError};
use crate::hub::{Ended, Filter, HubSubscription, Received};
use crate::positions::Positions;

/// How many records a subscriber reads at once while it catches up.
const CHUNK: usize = 256;

/// One subscriber of a [`super::Feed`]. The feed forgets it when it is dropped.
pub struct Subscription {
    shared: Arc<Shared>,
    filter: Filter<Incoming>,
    /// See the module, 5.
    seen: Positions,
    /// A reset that was not delivered yet.
    reset: Option<Reset>,
    /// Records that the subscriber's own reader has returned.
    pending: VecDeque<Incoming>,
    source: Source,
    has_panicked: bool,
    stopped: watch::Receiver<bool>,
}

/// Where the next records come from, after `pending`.
enum Source {
    Reader(Box<dyn Reader>),
    Hub(HubSubscription<Incoming>),
}

impl Subscription {
    /// Begins with the next record that the feed publishes.
    pub(super) fn of_the_present(
        shared: Arc<Shared>,
        filter: Filter<Incoming>,
        reset: Option<Reset>,
    ) -> Self {
        let frontier = shared.frontier();
        let (seen, source) = (frontier.next.clone(), Source::Hub(shared.join(&filter)));
        drop(frontier);
        Self { reset, ..Self::new(shared, filter, seen, source) }
    }

    /// Begins with the record at these positions.
    pub(super) async fn after(
        shared: Arc<Shared>,
        filter: Filter<Incoming>,
        seen: Positions,
    ) -> Result<Self, SubscribeError> {
        {
            let frontier = shared.frontier();
            // A client that comes back at once needs no reader. `seen` beyond the frontier is not enough: a reader has
            // to find out whether such records exist.
            if frontier.next == seen {
                let source = Source::Hub(shared.join(&filter));
                drop(frontier);
                return Ok(Self::new(shared, filter, seen, source));
            }
        }
        match shared.reader(seen.start()).await {
            Ok(reader) => {
                let mut this = Self::new(shared, filter, seen, Source::Reader(reader));
                this.switch();
                Ok(this)
            }
            Err(BusError::OutOfReach) => {
                Ok(Self::of_the_present(shared, filter, Some(Reset::Gone)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn new(shared: Arc<Shared>, filter: Filter<Incoming>, seen: Positions, source: Source) -> Self {
        let (stopped, pending) = (shared.stopped.subscribe(), VecDeque::new());
        Self { shared, filter, seen, reset: None, pending, source, has_panicked: false, stopped }
    }

    /// Waits for the next delivery. Cancel safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// [`Ended`] once the subscription has ended, and at each later call.
    pub async fn next(&mut self) -> Result<Delivery, Ended> {
        loop {
            if *self.stopped.borrow() {
                return Err(Ended::Stopped);
            }
            if self.has_panicked {
                return Err(Ended::FilterPanicked);
            }
            if let Some(reset) = self.reset.take() {
                return Ok(Delivery::Reset(reset));
            }
            if let Some(record) = self.next_pending() {
                return Ok(Delivery::Record(Arc::new(record)));
            }
            if self.has_panicked {
                continue;
            }
            match &mut self.source {
                Source::Hub(queue) => {
                    let received = queue.next().await?;
                    if let Some(delivery) = self.delivery(received) {
                        return Ok(delivery);
                    }
                }
                Source::Reader(reader) => {
                    let read = tokio::select! {
                        // Cannot fail: the sender is in `shared`.
                        _ = self.stopped.wait_for(|stopped| *stopped) => continue,
                        read = reader.receive(CHUNK) => read,
                    };
                    self.catch_up(read).await;
                }
            }
        }
    }

    /// A cursor that says what this subscriber has got by now. A session that begins with it goes on after the latest
    /// delivery of this one, at any replica.
    ///
    /// While no deliveries come it moves on too, so that it does not become too old: send a new one now and then.
    pub fn cursor(&mut self) -> String {
        if let (Source::Hub(queue), None) = (&self.source, self.reset)
            && self.pending.is_empty()
        {
            let frontier = self.shared.frontier();
            // Under the lock, so that no record is published between the two.
            if queue.is_idle() {
                self.seen.catch_up_with(&frontier.next);
            }
        }
        let settings = &self.shared.settings;
        Cursor { epoch: settings.epoch, seen: self.seen.clone() }.seal(&settings.key)
    }

    /// Whether the subscriber still reads the bus by itself, as records between its cursor and the present are left.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        matches!(self.source, Source::Reader(_))
    }

    /// The next pending record that the filter accepts.
    fn next_pending(&mut self) -> Option<Incoming> {
        while let Some(record) = self.pending.pop_front() {
            let Ok(is_wanted) = self.filter.accepts(&record) else {
                self.pending.clear();
                self.has_panicked = true;
                return None;
            };
            self.seen.pass(&record);
            if is_wanted {
                return Some(record);
            }
        }
        None
    }

    /// What the subscriber is told about this; nothing if it has got the record already.
    fn delivery(&mut self, received: Received<Incoming>) -> Option<Delivery> {
        match received {
            Received::Message(record) if self.seen.have_passed(&record) => None,
            Received::Message(record) => {
                self.seen.pass(&record);
                Some(Delivery::Record(record))
            }
            Received::Lagged(missed) => Some(Delivery::Lagged(missed)),
            Received::Reset => {
                // Not the present frontier: records may have been published since, and wait in the queue.
                self.seen = self.shared.frontier().at_reset.clone();
                Some(Delivery::Reset(Reset::Gone))
            }
        }
    }

    /// Takes what the reader has read, and switches to the hub if that is all there is.
    async fn catch_up(&mut self, read: Result<Vec<Incoming>, BusError>) {
        match read {
            Ok(records) => {
                self.pending.extend(records);
                self.switch();
            }
            Err(BusError::OutOfReach) => self.begin_anew(),
            Err(error) => {
                // The pump has the same trouble, and warns of it.
                tracing::debug!(%error, "a live subscription cannot catch up, trying again");
                tokio::time::sleep(RETRY).await;
                // `pending` is empty, so `seen` is where the reader was.
                match self.shared.reader(self.seen.start()).await {
                    Ok(reader) => self.source = Source::Reader(reader),
                    Err(BusError::OutOfReach) => self.begin_anew(),
                    // The present reader fails again, or goes on.
                    Err(_) => {}
                }
            }
        }
    }

    /// Joins the hub if the reader has reached the frontier.
    fn switch(&mut self) {
        let Source::Reader(reader) = &self.source else { return };
        let frontier = self.shared.frontier();
        if Positions::from(reader.positions()).have_reached(&frontier.next) {
            self.source = Source::Hub(self.shared.join(&self.filter));
        }
    }

    /// Goes on with the present, and has the client told.
    fn begin_anew(&mut self) {
        let frontier = self.shared.frontier();
        self.seen = frontier.next.clone();
        self.source = Source::Hub(self.shared.join(&self.filter));
        self.reset = Some(Reset::Gone);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("filter", &self.filter)
            .field("seen", &self.seen)
            .field("is_catching_up", &self.is_catching_up())
            .finish_non_exhaustive()
    }
}
