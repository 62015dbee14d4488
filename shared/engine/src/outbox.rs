//! The outbox's rows, and what engine and relay hand each other in memory.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use bus::Outgoing;
use contracts::{EventId, Headers};
use jiff::Timestamp;
use store::{Column, Db, Kind, Row, StoreError, Table, Tx, Value};
use tokio::sync::Notify;

use crate::{
    lease::{FREE, MORE},
    status::by_id,
};

const TABLE: Table = Table {
    name: "outbox",
    columns: &[
        Column { name: "event_id", kind: Kind::Uuid },
        Column { name: "topic", kind: Kind::Text },
        Column { name: "key", kind: Kind::Text },
        Column { name: "headers", kind: Kind::Bytes },
        Column { name: "value", kind: Kind::Bytes },
        Column { name: "created_at", kind: Kind::Int },
    ],
};

/// Records that may wait in memory; beyond, the relay reads the table again.
const MEMORY_LIMIT: usize = 20_000;

/// An event ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ready {
    pub(crate) id: EventId,
    pub(crate) record: Outgoing,
}

/// Adds what is ready to be sent, and deletes what was sent.
pub(crate) async fn change(
    tx: &mut Tx,
    ready: &[Ready],
    sent: &BTreeSet<EventId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = ready.iter().map(|Ready { id, record }| {
        vec![
            (*id).into(),
            record.topic.clone().into(),
            record.key.clone().into(),
            Value::Bytes(record.headers.as_bytes().to_vec()),
            Value::Bytes(record.value.clone()),
            now.into(),
        ]
    });
    let sent = sent.iter().map(|id| (*id).into()).collect();
    tx.exchange(&TABLE, rows.collect(), ("event_id", Kind::Uuid, sent)).await
}

pub(crate) async fn delete(tx: &mut Tx, ids: &BTreeSet<EventId>) -> Result<(), StoreError> {
    let ids = ids.iter().map(|id| (*id).into()).collect();
    tx.discard(TABLE.name, "event_id", Kind::Uuid, ids).await
}

/// Deletes what the broker has, while this fence holds; whether it did.
pub(crate) async fn delete_fenced(
    db: &Db,
    ids: &BTreeSet<EventId>,
    fence: (&str, Vec<Value>),
) -> Result<bool, StoreError> {
    let keys = ids.iter().map(|id| (*id).into()).collect();
    let deleted = db.discard_if((TABLE.name, "event_id", Kind::Uuid), keys, fence).await?;
    Ok(deleted == ids.len())
}

/// The oldest rows, at most `limit`.
pub(crate) async fn oldest(db: &Db, limit: usize) -> Result<Vec<Ready>, StoreError> {
    let sql = "select event_id, topic, key, headers, value from outbox order by id limit $1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.fetch(sql, vec![Value::Int(limit)]).await?.iter().map(read).collect()
}

/// How many rows there are.
pub(crate) async fn count(db: &Db) -> Result<i64, StoreError> {
    let sql = format!("select count(*) from {}", by_id(TABLE.name, "id"));
    let rows = db.fetch(&sql, Vec::new()).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

fn read(row: &Row) -> Result<Ready, StoreError> {
    let headers: Vec<u8> = row.get(3)?;
    let headers = Headers::from_bytes(headers).map_err(|error| StoreError::Column {
        column: 3,
        value: error.to_string(),
        expected: "the headers of a record",
    })?;
    Ok(Ready {
        id: row.get(0)?,
        record: Outgoing { topic: row.get(1)?, key: row.get(2)?, headers, value: row.get(4)? },
    })
}

/// What the engine hands the relay after its commit, and what comes back.
#[derive(Debug, Default)]
pub(crate) struct Handoff {
    state: Mutex<State>,
    /// Rows in the table that the broker has not acknowledged.
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
    waiting: VecDeque<Ready>,
    /// The memory does not hold all that is in the table: it holds nothing until that is read.
    stale: bool,
    acknowledged: BTreeSet<EventId>,
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
    pub(crate) fn push(&self, ready: Vec<Ready>, keep: bool) {
        if ready.is_empty() {
            return;
        }
        self.count(ready.len());
        self.fresh.store(true, Ordering::Release);
        if keep {
            let mut state = self.state();
            if state.waiting.len() + ready.len() > MEMORY_LIMIT {
                state.forget();
            } else if !state.stale {
                state.waiting.extend(ready);
            }
        }
        self.wake.notify_one();
    }

    /// The next records from memory.
    pub(crate) fn take(&self, limit: usize) -> Vec<Ready> {
        let mut state = self.state();
        let count = state.waiting.len().min(limit);
        state.waiting.drain(..count).collect()
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

    pub(crate) fn acknowledge(&self, ids: impl IntoIterator<Item = EventId>) {
        let mut state = self.state();
        let before = state.acknowledged.len();
        state.acknowledged.extend(ids);
        let sent = state.acknowledged.len() - before;
        self.depth.fetch_sub(i64::try_from(sent).unwrap_or(i64::MAX), Ordering::AcqRel);
    }

    /// The acknowledged ones, whose rows are to be deleted.
    pub(crate) fn acknowledged(&self) -> BTreeSet<EventId> {
        self.state().acknowledged.clone()
    }

    /// Their rows are gone.
    pub(crate) fn forget(&self, ids: &BTreeSet<EventId>) {
        let mut state = self.state();
        state.acknowledged.retain(|id| !ids.contains(id));
    }

    pub(crate) fn count(&self, more: usize) {
        self.depth.fetch_add(i64::try_from(more).unwrap_or(i64::MAX), Ordering::AcqRel);
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
