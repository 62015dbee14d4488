//! State rows as the last batches left them, so that an aggregate's next event need not read its row again.
//!
//! Only of use to who has the tables to itself: whoever may have missed a change forgets everything.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::Record;

/// Rows of one table that are kept for sure; at most twice as many are. An aggregate's row has some kilobyte.
const AT_LEAST: usize = 16_000;
/// For how long the table is not asked for a row, however often it is written. Whoever changes it by
/// hand is overlooked no longer.
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

type Tables = HashMap<TypeId, Box<dyn Table>>;
type Keep = Box<dyn FnOnce(&mut Tables) + Send>;

trait Table: Any + Send {
    /// Lets go of what nobody is given any more.
    fn tidy(&mut self, now: Timestamp);
}

/// The rows of one table: those that batches touched last, and those that they touched before.
struct Recent<R: Record> {
    young: HashMap<R::Key, Known<R>>,
    old: HashMap<R::Key, Known<R>>,
}

struct Known<R> {
    row: Arc<R>,
    /// When it was last read from the table, or came to be.
    since: Timestamp,
}

impl<R> Known<R> {
    fn since_unless_over(&self, now: Timestamp) -> Timestamp {
        if is_over(self.since, now) { now } else { self.since }
    }
}

fn is_over(since: Timestamp, now: Timestamp) -> bool {
    // A negative age is none: the clock was set back.
    Duration::try_from(now.duration_since(since)).map_or(true, |age| age >= NO_LONGER_THAN)
}

impl<R: Record> Table for Recent<R> {
    fn tidy(&mut self, now: Timestamp) {
        for rows in [&mut self.young, &mut self.old] {
            rows.retain(|_, known| !is_over(known.since, now));
        }
    }
}

impl<R: Record> Recent<R> {
    /// The table's.
    fn of(tables: &mut Tables) -> Option<&mut Self> {
        let new = || Self { young: HashMap::new(), old: HashMap::new() };
        let recent = tables.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(new()));
        let recent: &mut dyn Any = &mut **recent;
        recent.downcast_mut()
    }

    fn get(&self, key: &R::Key, now: Timestamp) -> Option<&Known<R>> {
        let known = self.young.get(key).or_else(|| self.old.get(key))?;
        (!is_over(known.since, now)).then_some(known)
    }

    fn put(&mut self, row: Arc<R>, now: Timestamp) {
        let key = row.key();
        if let Some(known) = self.young.get_mut(&key) {
            *known = Known { row, since: known.since_unless_over(now) };
            return;
        }
        // What is older than this must not outlive it.
        let before = self.old.remove(&key);
        let since = before.map_or(now, |known| known.since_unless_over(now));
        if self.young.len() >= AT_LEAST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, Known { row, since });
    }

    fn remove(&mut self, key: &R::Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl Kept {
    /// Somebody else may have changed something.
    pub fn forget(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.tables.clear();
    }

    /// Lets go of what nobody is given any more: to be called now and then.
    pub fn tidy(&self, now: Timestamp) {
        for table in self.state().tables.values_mut() {
            table.tidy(now);
        }
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

    /// The rows with these keys, each where it is known; nothing if none is.
    pub(crate) fn find<'k, R: Record>(
        &self,
        keys: impl Iterator<Item = &'k R::Key>,
    ) -> Vec<Option<Arc<R>>> {
        let mut state = self.kept.state();
        if state.epoch != self.epoch {
            return Vec::new();
        }
        let Some(recent) = Recent::of(&mut state.tables) else { return Vec::new() };
        keys.map(|key| Some(Arc::clone(&recent.get(key, self.now)?.row))).collect()
    }

    /// Once this has committed, the rows are these, and those with the keys `gone` are not there.
    pub(crate) fn keep<R: Record>(&mut self, rows: Vec<Arc<R>>, gone: Vec<R::Key>) {
        let now = self.now;
        self.keep.push(Box::new(move |tables| {
            let Some(recent) = Recent::of(tables) else { return };
            for row in rows {
                recent.put(row, now);
            }
            for key in &gone {
                recent.remove(key);
            }
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
    struct Rooms {
        floor: i64,
        free: i64,
    }
    crate::record!(Rooms in "rooms": floor: i64, free: i64);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn leave(kept: &Arc<Kept>, now: i64, free: i64) -> Alone {
        let mut alone = Alone::new(kept, at(now));
        alone.keep(vec![Arc::new(Rooms { floor: 1, free })], Vec::new());
        alone
    }

    fn found(kept: &Arc<Kept>, now: i64) -> Vec<i64> {
        let found = Alone::new(kept, at(now)).find::<Rooms>([1, 2].iter());
        found.iter().flatten().map(|rooms| rooms.free).collect()
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
        assert_eq!(found(&kept, 119), [9]);
        assert!(found(&kept, 50).is_empty(), "the clock was set back");
    }

    #[test]
    fn a_row_that_is_gone_is_not_found() {
        let kept = Arc::default();
        leave(&kept, 100, 5).committed();
        let mut alone = Alone::new(&kept, at(101));
        alone.keep::<Rooms>(Vec::new(), vec![1]);
        assert_eq!(found(&kept, 101), [5], "it has not committed");
        alone.committed();
        assert!(found(&kept, 101).is_empty());
    }

    #[test]
    fn whoever_was_under_way_when_all_was_forgotten_finds_and_leaves_nothing() {
        let kept = Arc::default();
        leave(&kept, 0, 7).committed();
        let late = leave(&kept, 0, 8);
        kept.forget();
        assert!(late.find::<Rooms>([1].iter()).is_empty());
        late.committed();
        assert!(found(&kept, 0).is_empty());
    }

    #[test]
    fn what_is_older_does_not_outlive_what_came_after_it() {
        let kept = Arc::default();
        leave(&kept, 110, 7).committed();
        let others = (10..).take(AT_LEAST).map(|floor| Arc::new(Rooms { floor, free: 1 }));
        let mut alone = Alone::new(&kept, at(110));
        alone.keep(others.collect(), Vec::new());
        alone.committed();
        // The clock is set back, and later right again.
        leave(&kept, 50, 8).committed();
        kept.tidy(at(112));
        assert!(found(&kept, 112).is_empty());
    }

    #[test]
    fn what_is_over_is_let_go_of() {
        let kept: Arc<Kept> = Arc::default();
        let row = Arc::new(Rooms { floor: 1, free: 7 });
        let held = Arc::downgrade(&row);
        let mut alone = Alone::new(&kept, at(0));
        alone.keep(vec![row], Vec::new());
        alone.committed();
        kept.tidy(at(9));
        assert!(held.upgrade().is_some());
        kept.tidy(at(10));
        assert!(held.upgrade().is_none());
    }

    #[test]
    fn no_more_is_kept_than_two_times_as_much_as_is_kept_for_sure() {
        let (kept, last) = (Arc::default(), 5 * i64::try_from(AT_LEAST).unwrap() / 2);
        for floor in 0..=last {
            let mut alone = Alone::new(&kept, at(0));
            alone.keep(vec![Arc::new(Rooms { floor, free: 1 })], Vec::new());
            alone.committed();
        }
        let floors: Vec<_> = (0..=last).collect();
        let found = Alone::new(&kept, at(0)).find::<Rooms>(floors.iter());
        let kept = found.iter().flatten().count();
        assert!((AT_LEAST..=2 * AT_LEAST).contains(&kept), "{kept}");
        assert!(found.last().is_some_and(Option::is_some), "the last");
    }
}
