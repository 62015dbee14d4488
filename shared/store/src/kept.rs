//! State rows as the last batches left them, so that an order's next event need not read its row again.
//!
//! Only of use to who has the tables to itself: whoever may have missed a change forgets everything.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::Record;

/// Rows of one table that are kept for sure; at most twice as many are.
const AT_LEAST: usize = 4_000;
/// For how long at most. Whoever changes a row by hand is overlooked no longer.
const NO_LONGER_THAN: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub struct Kept(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often everything was forgotten.
    epoch: u64,
    /// By their types, a `Recent` of each.
    tables: Tables,
}

type Tables = HashMap<TypeId, Box<dyn Any + Send>>;
type Keep = Box<dyn FnOnce(&mut Tables) + Send>;

/// The rows of one table: those that batches touched last, and those that they touched before.
struct Recent<R: Record> {
    young: BTreeMap<R::Key, Arc<R>>,
    old: BTreeMap<R::Key, Arc<R>>,
    since: Timestamp,
}

impl<R: Record> Recent<R> {
    /// The table's, as of `now`.
    fn of(tables: &mut Tables, now: Timestamp) -> Option<&mut Self> {
        let new = || Self { young: BTreeMap::new(), old: BTreeMap::new(), since: now };
        let recent = tables.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(new()));
        let recent: &mut Self = recent.downcast_mut()?;
        recent.age(now);
        Some(recent)
    }

    fn age(&mut self, now: Timestamp) {
        let age = Duration::try_from(now.duration_since(self.since));
        // A negative one is none: the clock was set back.
        if age.is_ok_and(|age| age < NO_LONGER_THAN) {
            if self.young.len() >= AT_LEAST {
                self.old = std::mem::take(&mut self.young);
            }
            return;
        }
        self.young.clear();
        self.old.clear();
        self.since = now;
    }

    fn get(&self, key: &R::Key) -> Option<&Arc<R>> {
        self.young.get(key).or_else(|| self.old.get(key))
    }
}

impl Kept {
    /// Somebody else may have changed something.
    pub fn forget(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.tables.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked left at worst less than there could be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// What a transaction takes from there, and will leave there.
pub(crate) struct Alone {
    kept: Arc<Kept>,
    epoch: u64,
    now: Timestamp,
    keep: Vec<Keep>,
}

impl Alone {
    pub(crate) fn new(kept: &Arc<Kept>, now: Timestamp) -> Self {
        let epoch = kept.state().epoch;
        Self { kept: Arc::clone(kept), epoch, now, keep: Vec::new() }
    }

    /// Those of the rows with these keys that are known.
    pub(crate) fn find<R: Record>(&self, keys: &BTreeSet<R::Key>) -> Vec<Arc<R>> {
        let mut state = self.kept.state();
        if state.epoch != self.epoch {
            return Vec::new();
        }
        let Some(recent) = Recent::of(&mut state.tables, self.now) else { return Vec::new() };
        keys.iter().filter_map(|key| recent.get(key).cloned()).collect()
    }

    /// Once this has committed, the rows are these.
    pub(crate) fn keep<R: Record>(&mut self, rows: Vec<Arc<R>>) {
        let now = self.now;
        self.keep.push(Box::new(move |tables| {
            let Some(recent) = Recent::of(tables, now) else { return };
            recent.young.extend(rows.into_iter().map(|row| (row.key(), row)));
        }));
    }

    /// What this transaction leaves, unless somebody forgot everything meanwhile.
    pub(crate) fn committed(self) {
        let mut state = self.kept.state();
        if state.epoch == self.epoch {
            self.keep.into_iter().for_each(|keep| keep(&mut state.tables));
        }
    }
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Stock {
        shelf: i64,
        pieces: i64,
    }
    crate::record!(Stock in "stock": shelf: i64, pieces: i64);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn leave(kept: &Arc<Kept>, now: i64, pieces: i64) -> Alone {
        let mut alone = Alone::new(kept, at(now));
        alone.keep(vec![Arc::new(Stock { shelf: 1, pieces })]);
        alone
    }

    fn found(kept: &Arc<Kept>, now: i64) -> Vec<i64> {
        let found = Alone::new(kept, at(now)).find::<Stock>(&BTreeSet::from([1, 2]));
        found.iter().map(|stock| stock.pieces).collect()
    }

    #[test]
    fn what_was_committed_is_found_for_a_while_however_often_it_is_touched() {
        let kept = Arc::default();
        drop(leave(&kept, 100, 5));
        assert!(found(&kept, 100).is_empty(), "it was rolled back");
        leave(&kept, 100, 7).committed();
        assert_eq!(found(&kept, 109), [7]);
        leave(&kept, 109, 8).committed();
        assert_eq!(found(&kept, 109), [8]);
        assert!(found(&kept, 110).is_empty(), "somebody may have changed it by hand");
        leave(&kept, 110, 9).committed();
        assert!(found(&kept, 50).is_empty(), "the clock was set back");
    }

    #[test]
    fn whoever_was_under_way_when_all_was_forgotten_finds_and_leaves_nothing() {
        let kept = Arc::default();
        leave(&kept, 0, 7).committed();
        let late = leave(&kept, 0, 8);
        kept.forget();
        assert!(late.find::<Stock>(&BTreeSet::from([1])).is_empty());
        late.committed();
        assert!(found(&kept, 0).is_empty());
    }

    #[test]
    fn no_more_is_kept_than_two_times_as_much_as_is_kept_for_sure() {
        let kept = Arc::default();
        for shelf in 0..9_000 {
            let mut alone = Alone::new(&kept, at(0));
            alone.keep(vec![Arc::new(Stock { shelf, pieces: 1 })]);
            alone.committed();
        }
        let found = Alone::new(&kept, at(0)).find::<Stock>(&(0..9_000).collect());
        assert!((AT_LEAST..=2 * AT_LEAST).contains(&found.len()), "{}", found.len());
        assert_eq!(found.last().map(|stock| stock.shelf), Some(8_999));
    }
}
