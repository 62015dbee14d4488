use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    connection::Connection,
    counts::{Counts, Reason},
};

/// The pause between two checks of the connections is this fraction of the shortest time limit.
const CHECKS_PER_LIMIT: u32 = 8;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All connections of a server, and the clock that their time limits are measured by. The clock moves only when it
/// is read for a check or for a new connection.
#[derive(Debug)]
pub(crate) struct Crowd {
    started: Instant,
    now: Arc<AtomicU64>,
    members: Mutex<Members>,
    arrived: Notify,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Members {
    last: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// A connection's entry in the crowd, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    crowd: Arc<Crowd>,
    id: u64,
    pub(crate) connection: Arc<Connection>,
}

impl Crowd {
    pub(crate) fn new(counts: Counts) -> Arc<Self> {
        let (members, arrived) = (Mutex::default(), Notify::new());
        Arc::new(Self { started: Instant::now(), now: Arc::default(), members, arrived, counts })
    }

    /// The clock, set to the present.
    pub(crate) fn clock(&self) -> Arc<AtomicU64> {
        self.tick();
        Arc::clone(&self.now)
    }

    fn tick(&self) -> u64 {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.store(now, Relaxed);
        now
    }

    pub(crate) fn admit(self: &Arc<Self>, connection: Connection) -> Member {
        let connection = Arc::new(connection);
        let mut members = self.members();
        members.last += 1;
        let id = members.last;
        members.connections.insert(id, Arc::clone(&connection));
        if members.connections.len() == 1 {
            self.arrived.notify_one();
        }
        drop(members);
        Member { crowd: Arc::clone(self), id, connection }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection of this listener, or of any, that has waited longest for its client. Returns whether
    /// there was one.
    pub(crate) fn replace_one(&self, listener: Option<&str>) -> bool {
        let members = self.members();
        let is_candidate = |connection: &Connection| {
            listener.is_none_or(|listener| connection.listener == listener)
        };
        let candidates =
            members.connections.iter().filter(|(_, connection)| is_candidate(connection));
        let waiting = candidates
            .filter_map(|(id, connection)| Some((connection.waits_since()?, id, connection)));
        // If several began to wait in the same tick of the clock, the one that was accepted first.
        let longest = waiting.min_by_key(|(since, id, _)| (*since, *id));
        let Some((_, _, longest)) = longest else { return false };
        longest.close();
        self.counts.closed(longest.listener, Reason::Replaced);
        true
    }

    /// Closes connections that are over a time limit, for ever.
    pub(crate) async fn watch(&self) {
        loop {
            let Some(pause) = self.close_late() else {
                self.arrived.notified().await;
                continue;
            };
            sleep(pause).await;
        }
    }

    /// Closes connections that are over a time limit. Returns the pause until the next check; `None` if there are
    /// no connections.
    fn close_late(&self) -> Option<Duration> {
        let now = self.tick();
        let members = self.members();
        let mut shortest = None;
        for connection in members.connections.values() {
            if let Some(reason) = connection.overdue(now) {
                connection.close();
                self.counts.closed(connection.listener, reason);
            }
            let limits = connection.limits;
            let least = limits.head.min(limits.idle).min(limits.write);
            shortest = Some(shortest.map_or(least, |shortest: Duration| shortest.min(least)));
        }
        let pause = |shortest: Duration| shortest / CHECKS_PER_LIMIT;
        shortest.map(|shortest| pause(shortest).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.members().connections.remove(&self.id);
    }
}
