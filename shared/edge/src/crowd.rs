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

/// How often the connections are looked at: an eighth of the shortest time that one may take, within these bounds.
const LOOKS: u32 = 8;
const SHORTEST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// All connections of a server, and the clock by which they are late.
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

/// A connection's place in the crowd, until it is dropped.
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

    /// The clock, brought up to date.
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

    /// Closes the connection that has waited longest for its client: of this listener, or of any. Answers whether
    /// there was one.
    pub(crate) fn replace_one(&self, listener: Option<&str>) -> bool {
        let members = self.members();
        let own = |it: &Connection| listener.is_none_or(|listener| it.listener == listener);
        let waiting = members.connections.iter().filter(|(_, it)| own(it));
        let waiting = waiting.filter_map(|(id, it)| Some((it.waits_since()?, id, it)));
        // Of those that began to wait within the same tick of the clock, the one that came first.
        let longest = waiting.min_by_key(|(since, id, _)| (*since, *id));
        let Some((_, _, longest)) = longest else { return false };
        longest.close();
        self.counts.closed(longest.listener, Reason::Replaced);
        true
    }

    /// Closes what is late, as long as it is polled.
    pub(crate) async fn watch(&self) {
        loop {
            let Some(pause) = self.close_late() else {
                self.arrived.notified().await;
                continue;
            };
            sleep(pause).await;
        }
    }

    /// Answers when to look again; `None` while there is no connection.
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
        shortest.map(|shortest| (shortest / LOOKS).clamp(SHORTEST_LOOK, LONGEST_LOOK))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.members().connections.remove(&self.id);
    }
}
