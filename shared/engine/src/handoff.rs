//! What engine and relay hand each other in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use event::EventId;
use tokio::sync::Notify;

use crate::{
    lease::{FREE, MORE},
    outbox::{self, Bundle},
};

/// Events that may wait in memory; beyond, the relay reads the table again.
const MEMORY_LIMIT: usize = 20_000;

/// Rows of the outbox, each with its events.
pub(crate) type Rows = BTreeMap<EventId, Vec<EventId>>;

/// What the engine hands the relay after its commit, and what comes back.
#[derive(Debug, Default)]
pub(crate) struct Handoff {
    state: Mutex<State>,
    /// Events in rows of which the broker has not acknowledged all.
    depth: AtomicI64,
    /// Something was committed here that the relay has not looked for.
    fresh: AtomicBool,
    /// The relay's lease was ours when it last looked.
    held: AtomicBool,
    /// Somebody let go of the lease.
    freed: AtomicBool,
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bundle>,
    /// The memory does not hold all that is in the table: it holds nothing until that is read.
    stale: bool,
    /// The broker has all of their events.
    acknowledged: Rows,
    /// So it has of these, and somebody deletes them: they may be gone.
    leaving: Rows,
}

impl State {
    fn forget(&mut self) {
        self.waiting.clear();
        self.stale = true;
    }
}

impl Handoff {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between statements, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over what was committed. `keep` is false where the relay reads the table only.
    pub(crate) fn push(&self, ready: Vec<Bundle>, keep: bool) {
        if ready.is_empty() {
            return;
        }
        let events = outbox::count(&ready);
        self.depth.fetch_add(signed(events), Ordering::AcqRel);
        self.fresh.store(true, Ordering::Release);
        if keep {
            let mut state = self.state();
            if outbox::count(&state.waiting) + events > MEMORY_LIMIT {
                state.forget();
            } else if !state.stale {
                state.waiting.extend(ready);
            }
        }
        self.wake.notify_one();
    }

    /// The next from memory, as many as hold `limit` events, or all.
    pub(crate) fn take(&self, limit: usize) -> Vec<Bundle> {
        let mut state = self.state();
        let (mut taken, mut events) = (Vec::new(), 0);
        while events < limit
            && let Some(bundle) = state.waiting.pop_front()
        {
            events += bundle.events.len();
            taken.push(bundle);
        }
        taken
    }

    /// Forgets the memory: the table is to be read again.
    pub(crate) fn reread(&self) {
        self.state().forget();
        self.fresh.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether the table is to be read; asking clears the mark, and the memory fills again.
    pub(crate) fn take_reread(&self) -> bool {
        std::mem::take(&mut self.state().stale)
    }

    /// The broker has all events of these rows.
    pub(crate) fn acknowledge(&self, rows: Rows) {
        let mut state = self.state();
        let mut sent = 0;
        for (row, events) in rows {
            let count = events.len();
            if !state.leaving.contains_key(&row) && state.acknowledged.insert(row, events).is_none()
            {
                sent += count;
            }
        }
        self.depth.fetch_sub(signed(sent), Ordering::AcqRel);
    }

    /// The acknowledged ones, which are to be deleted now.
    pub(crate) fn acknowledged(&self) -> Rows {
        let state = &mut *self.state();
        state.leaving.append(&mut state.acknowledged);
        state.leaving.clone()
    }

    /// So many acknowledged events are in the table for sure.
    pub(crate) fn acknowledged_events(&self) -> usize {
        self.state().acknowledged.values().map(Vec::len).sum()
    }

    /// Their rows are gone.
    pub(crate) fn forget(&self, rows: &Rows) {
        self.state().leaving.retain(|row, _| !rows.contains_key(row));
    }

    pub(crate) fn set_depth(&self, depth: i64) {
        self.depth.store(depth, Ordering::Release);
    }

    /// Whether the count says that there is nothing; one that is off says so too, and is taken anew.
    pub(crate) fn is_settled(&self) -> bool {
        self.depth.load(Ordering::Acquire) == 0
    }

    /// Whether something was committed here since this was last asked.
    pub(crate) fn take_fresh(&self) -> bool {
        self.fresh.swap(false, Ordering::AcqRel)
    }

    /// Whether the lease was let go since this was last asked.
    pub(crate) fn take_freed(&self) -> bool {
        self.freed.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Release);
    }

    /// Another replica said this.
    pub(crate) fn hear(&self, said: &str) {
        match said {
            // Also if we took ourselves to be alone: it is in the table only.
            MORE if self.held.load(Ordering::Acquire) => self.reread(),
            FREE => {
                self.freed.store(true, Ordering::Release);
                self.wake.notify_one();
            }
            _ => {}
        }
    }

    /// Events that wait for the broker.
    pub(crate) fn depth(&self) -> usize {
        usize::try_from(self.depth.load(Ordering::Acquire)).unwrap_or(0)
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row(number: u128, events: u128) -> (EventId, Vec<EventId>) {
        let id = |nth| Uuid::from_u128(100 * number + nth).into();
        (id(0), (0..events).map(id).collect())
    }

    #[test]
    fn what_is_acknowledged_counts_as_stored_until_somebody_deletes_it() {
        let handoff = Handoff::default();
        handoff.set_depth(7);
        handoff.acknowledge(Rows::from([row(1, 3)]));
        handoff.acknowledge(Rows::from([row(1, 3), row(2, 2)]));
        assert_eq!((handoff.acknowledged_events(), handoff.depth()), (5, 2));

        let leaving = handoff.acknowledged();
        assert_eq!(leaving, Rows::from([row(1, 3), row(2, 2)]));
        handoff.acknowledge(Rows::from([row(2, 2), row(3, 1)]));
        assert_eq!((handoff.acknowledged_events(), handoff.depth()), (1, 1));

        let failed_and_once_more = handoff.acknowledged();
        assert_eq!(failed_and_once_more, Rows::from([row(1, 3), row(2, 2), row(3, 1)]));
        handoff.forget(&leaving);
        assert_eq!(handoff.acknowledged(), Rows::from([row(3, 1)]));
    }
}
