//! What a state holds.

use std::collections::BTreeSet;

use crate::outbox::{Change, Ownership, cursor::Cursor, ownership::OwnedQueue, queue::QueuedRow};

/// An event of the one aggregate, and its row. Commits number them from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Event(pub(super) u8);

impl QueuedRow for Event {
    fn event_count(&self) -> usize {
        1
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) database: Database,
    /// The broker has the events up to this one, in order.
    pub(super) published: u8,
    /// An event reached the broker before its predecessor.
    pub(super) overtaken: bool,
    /// A replica noted what it had learnt, and its next transaction would fail all the same.
    pub(super) misled: bool,
    pub(super) replicas: [Option<Replica>; 2],
    pub(super) left: Budget,
}

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) events: u8,
    /// Starts after the first one of each replica.
    pub(super) starts: u8,
    pub(super) deaths: u8,
    pub(super) unknown_commits: u8,
    pub(super) failed_sends: u8,
    /// Transactions that take or share the outbox and whose result is lost.
    pub(super) lost_results: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Database {
    pub(super) lease: Lease,
    /// Committed events that no relay has deleted, by their ids.
    pub(super) table: BTreeSet<Event>,
    pub(super) committed: u8,
    /// A COMMIT whose client is no longer there to hear its result.
    pub(super) in_flight: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lease {
    /// Released, or never taken.
    Free,
    /// Has an end, which the model may put before any statement.
    Timed,
    /// Without an end, held by this replica; `None` if that process is gone.
    Endless(Option<usize>),
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Replica {
    pub(super) owned: OwnedQueue<Event>,
    pub(super) cursor: Cursor<Event>,
    pub(super) engine: Engine,
    pub(super) relay: Relay,
    /// Rows that the broker has acknowledged, to be deleted.
    pub(super) acknowledged: BTreeSet<Event>,
    /// The fencing token of its lease, if it believes that it holds one: whether that is still the latest.
    pub(super) token: Option<bool>,
    /// What the batch in doubt came to, which its repeat finds in the inbox.
    pub(super) in_doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    Undecided,
    Applied,
    RolledBack,
}

/// Where the engine's task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Engine {
    Idle,
    /// In a transaction, which holds the lock.
    Open {
        relied_on: Ownership,
    },
    /// Its premise did not hold.
    Refused,
    /// Its COMMIT had no result.
    Unknown,
    /// Committed this event, or none, and has not told the relay.
    Committed {
        event: Option<Event>,
        relied_on: Ownership,
    },
    /// Found out which replica has the outbox, when the lease was as it is here, and has not noted it.
    Looked {
        change: Change,
        lease: Lease,
    },
}

/// Where the relay's task is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Relay {
    Idle,
    /// In shared mode, before it has a lease.
    Sharing {
        looked: bool,
    },
    /// Emptied the queue, and reads the table next.
    Emptied {
        sole: bool,
    },
    /// Has rows to send.
    Sending {
        rows: Vec<Event>,
        sole: bool,
    },
    /// Looked or took, and has not noted it. It goes on to share if `shares`.
    Noted {
        change: Change,
        shares: bool,
    },
}

impl Replica {
    /// A process that has just started, with this outcome of its attempt to take the outbox.
    pub(super) fn started(taken: bool) -> Self {
        let mut owned = OwnedQueue::new(Ownership::Shared);
        if taken {
            owned.change(Change::Taken);
        }
        Self {
            owned,
            cursor: Cursor::at_start(),
            engine: Engine::Idle,
            relay: Relay::Idle,
            acknowledged: BTreeSet::new(),
            token: None,
            in_doubt: None,
        }
    }
}

impl State {
    /// Whether a transaction holds the lock in shared form. The outbox changes hands only while none does.
    pub(super) fn is_locked(&self) -> bool {
        let open = |replica: &Replica| matches!(replica.engine, Engine::Open { .. });
        self.database.in_flight.is_some() || self.replicas.iter().flatten().any(open)
    }

    pub(super) fn replica(&mut self, of: usize) -> &mut Replica {
        self.replicas[of].as_mut().expect("only processes that run take steps")
    }

    /// A replica got a lease, or took the outbox: all other tokens are outdated.
    pub(super) fn outdate_tokens(&mut self) {
        for replica in self.replicas.iter_mut().flatten() {
            replica.token = replica.token.map(|_| false);
        }
    }

    pub(super) fn publish(&mut self, event: Event) {
        if event.0 == self.published + 1 {
            self.published += 1;
        } else if event.0 > self.published {
            self.overtaken = true;
        }
    }
}
