//! The row cache: state rows as the last committed batches left them, kept in memory so that the next
//! event of an aggregate need not read its row from the database again.
//!
//! A service may run as several processes on one database, its *replicas*. The cache is of use only to a *sole
//! replica*: while no other one runs, nothing but this process changes the rows. When another replica joins, the
//! engine clears the cache. It uses the cache again once this replica is the sole one again.
//!
//! # When it runs
//!
//! The engine applies one batch at a time, each in one transaction. A batch loads each of its rows once, and saves
//! it once, at its end.
//!
//! 1. A transaction that may use the cache calls [`Tx::assume_sole_writer`](crate::Tx::assume_sole_writer) as soon as
//!    it has begun. That opens a [`CacheSession`], which remembers the cache's epoch of that moment.
//! 2. [`Rows::load`](crate::Rows::load) asks the session for each row before it asks the database. A row
//!    that the session finds is neither read nor locked.
//! 3. [`Rows::save`](crate::Rows::save) hands the session the rows as they will be after the commit, and
//!    the keys of the rows that it deletes. A row that was only read does not enter the cache.
//! 4. [`Tx::commit`](crate::Tx::commit) puts them into the cache once the database has confirmed the
//!    commit. If the transaction is dropped, or its commit fails, they are dropped with the session.
//!
//! Beside that, the relay calls [`RowCache::drop_expired`] now and then, and the engine calls [`RowCache::clear`].
//!
//! # Why a row in the cache equals the row in the database
//!
//! Premises. The callers hold the first four, this file the other two.
//!
//! 1. *Sole writer*: while a session's transaction is open, no other process writes the tables. In the engine such a
//!    transaction holds a lock that a joining replica has to wait for, and it fails if another replica had joined
//!    before it began.
//! 2. *One at a time*: transactions of this process that write state rows follow one another, and write them by
//!    `Rows::save`. If one of them runs without a session, the caller clears the cache before the next session.
//! 3. *Cleared in doubt*: the caller calls [`RowCache::clear`] when a replica joins or leaves, when a batch
//!    fails, and when the outcome of a commit is unknown.
//! 4. *Committed rows only*: `Tx::commit` calls [`CacheSession::committed`] only after a confirmed commit.
//! 5. *Epochs*: `clear` starts a new epoch. A session of an earlier epoch finds nothing and leaves nothing.
//! 6. *Ten seconds*: a session finds a row only if, when the session began, its `read_at` was less than [`MAX_AGE`]
//!    ago. A write does not renew `read_at`, if the cache still has an older copy that is not expired. All times are of
//!    one steady clock, which cannot be set.
//!
//! Conclusions:
//!
//! - By 1 to 4 a cached row is the last committed one, so that reading it from the database would give
//!   the same row.
//! - A transaction releases its lock when it commits in the database, a moment before this process hears of it. A
//!   replica that joins in this moment may write the same rows. If the engine clears the cache first, the late call of
//!   `committed` leaves nothing (5). Otherwise the clear drops what it has left (3), and a transaction in between
//!   fails (1).
//! - By 6 a change that an operator makes by hand is overlooked for ten seconds and the length of a batch, and may be
//!   overwritten meanwhile. Such a change breaks premise 1, and the cache cannot notice it. It is overlooked for another
//!   ten seconds if, while a batch that has found the row is under way, the relay drops the expired copy or other rows
//!   push it out: then the batch's write counts as read.
//!
//! # When something fails
//!
//! Losing the cache is always safe: the next batch reads its rows from the database. The cache does not know which
//! rows are absent, so a key without a cached row is read from the database too. A panic under the
//! cache's mutex may leave rows of one batch beside older rows of another, so the cache is cleared then.
//!
//! # What would break without
//!
//! - the epoch check in [`CacheSession::find`]: a transaction from before `clear` would find rows that came into the cache
//!   since, and skip their locks, although another replica may be changing them. Premises 1 and 2 exclude that too: the
//!   check is a second safeguard;
//! - the epoch check in [`CacheSession::committed`]: a late call would put back rows that another replica
//!   has overwritten;
//! - keeping `read_at` when a row is written: a row that is written every second would never be read again,
//!   and a change by hand would be overlooked for ever;
//! - looking for a row in `old` when it enters `young`: a write would renew its `read_at`. It is taken out there, so that
//!   a row has one copy;
//! - removing deleted rows: they would be found as if they existed;
//! - the swap of `young` and `old` at [`GENERATION`]: the cache would grow to all rows written within ten seconds, and to
//!   all rows ever written if no caller dropped the expired ones;
//! - clearing after a panic under the mutex: half of a batch's rows would be found beside older rows.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::Record;

/// The most rows of a generation. Each table has two generations, so at most twice as many rows of it are cached. A row
/// of an aggregate takes about a kilobyte.
const GENERATION: usize = 16_000;
/// For how long a row is used without being read from the database again. See premise 6 of the module.
const MAX_AGE: Duration = Duration::from_secs(10);

/// A cache of state rows, for the only process that writes them. The module says what it assumes.
#[derive(Default)]
pub struct RowCache(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often the cache was cleared.
    epoch: u64,
    /// The tables by the type of their records; the value is a `CachedTable` of that type.
    tables: Tables,
}

type Tables = HashMap<TypeId, Box<dyn AnyTable>>;
/// Changes the cache as one `Rows::save` changed its table.
type Update = Box<dyn FnOnce(&mut Tables) + Send>;

/// A [`CachedTable`] of any record.
trait AnyTable: Any + Send {
    fn drop_expired(&mut self, now: Duration);
}

/// The cached rows of one table, in two generations. New rows enter `young`. When `young` has
/// [`GENERATION`] rows it becomes `old`, and the former `old` is dropped. So the rows that were written longest ago
/// go, roughly, and the cache needs no list of their order.
struct CachedTable<R: Record> {
    young: HashMap<R::Key, CachedRow<R>>,
    old: HashMap<R::Key, CachedRow<R>>,
}

struct CachedRow<R> {
    row: Arc<R>,
    /// When the row was last read from the database, or inserted, by the steady clock. Updates do not change it.
    read_at: Duration,
}

impl<R> CachedRow<R> {
    /// The `read_at` of this row's next version. `now` is the time of the session that writes it, by which it has also
    /// looked for the row. So if the row is expired, the session did not find it, and read it from the database.
    fn next_read_at(&self, now: Duration) -> Duration {
        if is_expired(self.read_at, now) { now } else { self.read_at }
    }
}

fn is_expired(read_at: Duration, now: Duration) -> bool {
    now.saturating_sub(read_at) >= MAX_AGE
}

impl<R: Record> AnyTable for CachedTable<R> {
    fn drop_expired(&mut self, now: Duration) {
        for rows in [&mut self.young, &mut self.old] {
            rows.retain(|_, cached| !is_expired(cached.read_at, now));
        }
    }
}

impl<R: Record> CachedTable<R> {
    /// The table of this record, empty if it is new. The downcast cannot fail, since the key is the type itself.
    fn in_tables(tables: &mut Tables) -> Option<&mut Self> {
        let new = || Self { young: HashMap::new(), old: HashMap::new() };
        let table = tables.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(new()));
        let table: &mut dyn Any = &mut **table;
        table.downcast_mut()
    }

    fn get(&self, key: &R::Key, now: Duration) -> Option<&CachedRow<R>> {
        let cached = self.young.get(key).or_else(|| self.old.get(key))?;
        (!is_expired(cached.read_at, now)).then_some(cached)
    }

    fn put(&mut self, row: Arc<R>, now: Duration) {
        let key = row.key();
        if let Some(cached) = self.young.get_mut(&key) {
            *cached = CachedRow { row, read_at: cached.next_read_at(now) };
            return;
        }
        // Removed, not only read: the older copy must not outlive the newer one.
        let older = self.old.remove(&key);
        let read_at = older.map_or(now, |older| older.next_read_at(now));
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, CachedRow { row, read_at });
    }

    fn remove(&mut self, key: &R::Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl State {
    fn clear(&mut self) {
        self.epoch += 1;
        self.tables.clear();
    }
}

impl RowCache {
    /// Drops all rows: another writer may have changed some, or the caller does not know what was committed. Sessions
    /// that are open now find nothing and leave nothing from here on.
    pub fn clear(&self) {
        self.state().clear();
    }

    /// Gives back the memory of rows that are too old to be used.
    pub fn drop_expired(&self, now: Duration) {
        for table in self.state().tables.values_mut() {
            table.drop_expired(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| {
            // The panic may have left a part of a batch's rows.
            self.0.clear_poison();
            let mut state = poisoned.into_inner();
            state.clear();
            state
        })
    }
}

impl fmt::Debug for RowCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowCache").finish_non_exhaustive()
    }
}

/// One transaction's use of the cache: what it may find there, and what it will leave there if it commits.
pub(crate) struct CacheSession {
    cache: Arc<RowCache>,
    /// The epoch in which the transaction began to use the cache.
    epoch: u64,
    now: Duration,
    updates: Vec<Update>,
}

impl CacheSession {
    pub(crate) fn new(cache: &Arc<RowCache>, now: Duration) -> Self {
        let epoch = cache.state().epoch;
        Self { cache: Arc::clone(cache), epoch, now, updates: Vec::new() }
    }

    /// The rows with these keys, in their order; `None` for a row that has to be read. If the cache was cleared since
    /// this session began, the list is empty, whatever the keys: all rows have to be read.
    pub(crate) fn find<'k, R: Record>(
        &self,
        keys: impl Iterator<Item = &'k R::Key>,
    ) -> Vec<Option<Arc<R>>> {
        let mut state = self.cache.state();
        if state.epoch != self.epoch {
            return Vec::new();
        }
        let Some(table) = CachedTable::in_tables(&mut state.tables) else { return Vec::new() };
        keys.map(|key| Some(Arc::clone(&table.get(key, self.now)?.row))).collect()
    }

    /// Remembers how the rows will be once this transaction has committed, and the keys of those that it
    /// deletes. The cache itself changes in [`CacheSession::committed`].
    pub(crate) fn put_on_commit<R: Record>(&mut self, rows: Vec<Arc<R>>, deleted: Vec<R::Key>) {
        let now = self.now;
        self.updates.push(Box::new(move |tables| {
            let Some(table) = CachedTable::in_tables(tables) else { return };
            for row in rows {
                table.put(row, now);
            }
            for key in &deleted {
                table.remove(key);
            }
        }));
    }

    /// The database has confirmed the commit: puts the rows into the cache, unless it was cleared since this
    /// session began.
    pub(crate) fn committed(self) {
        let mut state = self.cache.state();
        if state.epoch == self.epoch {
            self.updates.into_iter().for_each(|update| update(&mut state.tables));
        }
    }
}

impl fmt::Debug for CacheSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheSession").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
