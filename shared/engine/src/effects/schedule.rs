//! Decides which effect is attempted next. The rules are pure, so that they can be tested alone.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use super::{isolation::Isolation, rows::Class};

/// The slots for attempts, and the rules by which effects get them.
///
/// | what | slots at most |
/// |---|---|
/// | all attempts | `total` |
/// | fresh effects | seven eighths: some slots are always left for retries |
/// | retries, and fresh effects of keys that fail slowly | a quarter |
/// | one isolation key | three quarters; fewer while it fails ([`Isolation`]) |
/// | while the breaker is open | half, for fresh effects of keys that do not fail |
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    fresh: usize,
    retries: usize,
    while_open: usize,
    running: Running,
}

#[derive(Debug, Default)]
struct Running {
    fresh: usize,
    retries: usize,
    by_key: HashMap<Arc<str>, usize>,
}

impl Slots {
    pub(super) fn new(total: usize) -> Self {
        let (fresh, quarter) = (total - total / 8, (total / 4).max(1));
        let while_open = (total / 2).max(1);
        Self { total, fresh, retries: quarter, while_open, running: Running::default() }
    }

    /// The slots of one healthy isolation key.
    pub(super) fn of_key(total: usize) -> usize {
        (total - total / 4).max(1)
    }

    /// The slots that retries may have.
    pub(super) fn retries(&self) -> usize {
        self.retries
    }

    /// Slots that effects of this class may still have.
    pub(super) fn free(&self, class: Class) -> usize {
        let all = self.total.saturating_sub(self.running.fresh + self.running.retries);
        let (most, running) = match class {
            Class::Fresh => (self.fresh, self.running.fresh),
            Class::Retry => (self.retries, self.running.retries),
        };
        all.min(most.saturating_sub(running))
    }

    /// Whether a slot is free for effects of this class.
    pub(super) fn has_room(&self, class: Class, gate: Gate) -> bool {
        let quota = gate == Gate::Open || self.running.fresh < self.while_open;
        self.free(class) > 0 && quota
    }

    /// The class whose slots an effect takes. An effect of a key that fails slowly takes those of retries.
    pub(super) fn taken_by(class: Class, key: &str, keys: &Isolation) -> Class {
        if keys.is_slow(key) { Class::Retry } else { class }
    }

    /// Whether an effect of this class and key may have one of the free slots.
    pub(super) fn admits(&self, class: Class, key: &str, keys: &Isolation, gate: Gate) -> bool {
        self.has_room(Self::taken_by(class, key, keys), gate)
            && self.would_admit(class, key, keys, gate)
    }

    /// The same as [`Slots::admits`], but does not ask whether a slot is free.
    pub(super) fn would_admit(
        &self,
        class: Class,
        key: &str,
        keys: &Isolation,
        gate: Gate,
    ) -> bool {
        let running = self.running.by_key.get(key).copied().unwrap_or(0);
        let allowed = gate == Gate::Open || (class == Class::Fresh && keys.failures(key) == 0);
        allowed && running < keys.slots(key)
    }

    pub(super) fn started(&mut self, class: Class, key: &Arc<str>) {
        *self.count(class) += 1;
        *self.running.by_key.entry(Arc::clone(key)).or_default() += 1;
    }

    pub(super) fn ended(&mut self, class: Class, key: &str) {
        let count = self.count(class);
        *count = count.saturating_sub(1);
        if let Some(running) = self.running.by_key.get_mut(key) {
            *running -= 1;
            if *running == 0 {
                self.running.by_key.remove(key);
            }
        }
    }

    fn count(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Fresh => &mut self.running.fresh,
            Class::Retry => &mut self.running.retries,
        }
    }
}

/// Whether the breaker lets every key through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Every key: the breaker is closed, or a probe is due.
    Open,
    /// Only fresh effects of keys that do not fail: the breaker is open.
    Closed,
}

/// Which key's effect is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// The key that has waited longest.
    Oldest,
    /// The key that came last. If the earlier keys get no answers, it need not wait until each of them was tried.
    Newest,
}

/// Items that wait, each under a key. The keys are served one after the other, one item each, so that many items of one
/// key do not hold up the single item of another.
#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    by_key: HashMap<K, VecDeque<T>>,
    /// The keys with waiting items. The first is served next.
    rotation: VecDeque<K>,
    len: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), rotation: VecDeque::new(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, T> FairQueue<K, T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, key: K, item: T) {
        self.len += 1;
        let waiting = self.by_key.entry(key.clone()).or_default();
        if waiting.is_empty() {
            self.rotation.push_back(key);
        }
        waiting.push_back(item);
    }

    /// How many keys with waiting items are admitted.
    pub(super) fn keys(&self, admits: impl Fn(&K) -> bool) -> usize {
        self.rotation.iter().filter(|key| admits(key)).count()
    }

    /// The oldest item of the next admitted key. Keys that are not admitted keep their places.
    pub(super) fn pop(&mut self, pick: Pick, admits: impl Fn(&K) -> bool) -> Option<T> {
        let place = match pick {
            Pick::Oldest => self.rotation.iter().position(admits)?,
            Pick::Newest => self.rotation.iter().rposition(admits)?,
        };
        let key = self.rotation.remove(place)?;
        let waiting = self.by_key.get_mut(&key)?;
        let item = waiting.pop_front();
        if waiting.is_empty() {
            self.by_key.remove(&key);
        } else {
            self.rotation.push_back(key);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Removes the items of each key beyond its `most` oldest, and returns them.
    pub(super) fn trim(&mut self, most: impl Fn(&K) -> usize) -> Vec<T> {
        let mut excess = Vec::new();
        for key in &self.rotation {
            let Some(waiting) = self.by_key.get_mut(key) else { continue };
            // At least one stays, so that a key in `rotation` always has an item.
            excess.extend(waiting.split_off(most(key).max(1).min(waiting.len())));
        }
        self.len -= excess.len();
        excess
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SLOW: Duration = Duration::from_secs(1);

    fn key(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn fresh_effects_leave_slots_to_retries_and_retries_most_slots_to_fresh_ones() {
        let mut slots = Slots::new(64);
        assert_eq!((slots.free(Class::Fresh), slots.free(Class::Retry)), (56, 16));
        for number in 0..16 {
            slots.started(Class::Retry, &key(&number.to_string()));
        }
        assert_eq!((slots.free(Class::Fresh), slots.free(Class::Retry)), (48, 0));
        for number in 16..64 {
            slots.started(Class::Fresh, &key(&number.to_string()));
        }
        assert_eq!(slots.free(Class::Fresh), 0);
        slots.ended(Class::Retry, "3");
        assert_eq!((slots.free(Class::Fresh), slots.free(Class::Retry)), (1, 1));
    }

    #[test]
    fn a_single_slot_serves_both_classes() {
        let mut slots = Slots::new(1);
        assert_eq!((slots.free(Class::Fresh), slots.free(Class::Retry)), (1, 1));
        slots.started(Class::Retry, &key("a"));
        assert_eq!((slots.free(Class::Fresh), slots.free(Class::Retry)), (0, 0));
    }

    #[test]
    fn a_key_has_three_quarters_of_the_slots_and_fewer_while_it_fails_slowly() {
        let mut keys = Isolation::new(Slots::of_key(8), SLOW);
        let mut slots = Slots::new(8);
        for _ in 0..6 {
            assert!(slots.admits(Class::Fresh, "a", &keys, Gate::Open));
            slots.started(Class::Fresh, &key("a"));
        }
        assert!(!slots.admits(Class::Fresh, "a", &keys, Gate::Open));
        assert!(slots.admits(Class::Fresh, "b", &keys, Gate::Open));
        for _ in 0..6 {
            slots.ended(Class::Fresh, "a");
            keys.failed("a", SLOW);
        }
        assert!(slots.admits(Class::Fresh, "a", &keys, Gate::Open));
        slots.started(Class::Fresh, &key("a"));
        assert!(!slots.admits(Class::Fresh, "a", &keys, Gate::Open), "one at a time");
    }

    #[test]
    fn fresh_effects_of_keys_that_fail_slowly_leave_slots_to_others() {
        let mut keys = Isolation::new(Slots::of_key(8), SLOW);
        let mut slots = Slots::new(8);
        for name in ["a", "b", "c"] {
            keys.failed(name, SLOW);
            assert_eq!(Slots::taken_by(Class::Fresh, name, &keys), Class::Retry);
        }
        for name in ["a", "b"] {
            assert!(slots.admits(Class::Fresh, name, &keys, Gate::Open));
            slots.started(Class::Retry, &key(name));
        }
        assert!(!slots.admits(Class::Fresh, "c", &keys, Gate::Open));
        assert_eq!(Slots::taken_by(Class::Fresh, "good", &keys), Class::Fresh);
        assert!(slots.admits(Class::Fresh, "good", &keys, Gate::Open));
    }

    #[test]
    fn an_open_breaker_leaves_half_the_slots_to_fresh_effects_whose_keys_do_not_fail() {
        let mut keys = Isolation::new(6, SLOW);
        keys.failed("bad", Duration::ZERO);
        let mut slots = Slots::new(8);
        assert!(slots.admits(Class::Fresh, "bad", &keys, Gate::Open));
        assert!(!slots.admits(Class::Fresh, "bad", &keys, Gate::Closed));
        assert!(!slots.admits(Class::Retry, "good", &keys, Gate::Closed));
        for _ in 0..4 {
            assert!(slots.admits(Class::Fresh, "good", &keys, Gate::Closed));
            slots.started(Class::Fresh, &key("good"));
        }
        assert!(!slots.admits(Class::Fresh, "good", &keys, Gate::Closed));
        assert!(
            slots.would_admit(Class::Fresh, "good", &keys, Gate::Closed),
            "it lacks only a free slot"
        );
    }

    #[test]
    fn running_retries_take_no_slot_of_the_half_that_an_open_breaker_leaves_to_fresh_effects() {
        let (keys, mut slots) = (Isolation::new(6, SLOW), Slots::new(8));
        for name in ["a", "b"] {
            slots.started(Class::Retry, &key(name));
        }
        assert!(slots.admits(Class::Fresh, "good", &keys, Gate::Closed));
    }

    #[test]
    fn keys_are_served_in_order_and_one_that_is_not_admitted_keeps_its_place() {
        let mut queue = FairQueue::default();
        for (key, item) in [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5)] {
            queue.push(key, item);
        }
        let mut pop = |admitted: &dyn Fn(&char) -> bool| queue.pop(Pick::Oldest, admitted);
        assert_eq!(pop(&|_| true), Some(1));
        assert_eq!(pop(&|key| *key != 'b'), Some(5));
        assert_eq!(pop(&|_| true), Some(4));
        assert_eq!(pop(&|_| false), None);
        assert_eq!((pop(&|_| true), pop(&|_| true)), (Some(2), Some(3)));
        assert_eq!((pop(&|_| true), queue.len()), (None, 0));
    }

    #[test]
    fn the_newest_pick_takes_the_oldest_item_of_the_key_that_came_last() {
        let mut queue = FairQueue::default();
        for (key, item) in [('a', 1), ('b', 2), ('c', 3), ('c', 4)] {
            queue.push(key, item);
        }
        assert_eq!(queue.pop(Pick::Newest, |key| *key != 'c'), Some(2));
        assert_eq!(queue.pop(Pick::Newest, |_| true), Some(3));
        assert_eq!(queue.pop(Pick::Oldest, |_| true), Some(1));
        assert_eq!(queue.pop(Pick::Newest, |_| true), Some(4));
    }

    #[test]
    fn trimming_removes_the_newest_items_of_a_key_that_has_too_many() {
        let mut queue = FairQueue::default();
        for item in 0..5 {
            queue.push('a', item);
        }
        queue.push('b', 9);
        assert_eq!(queue.trim(|key| if *key == 'a' { 2 } else { 8 }), [2, 3, 4]);
        assert_eq!(queue.len(), 3);
        let mut pop = || queue.pop(Pick::Oldest, |_| true);
        assert_eq!((pop(), pop()), (Some(0), Some(9)));
    }
}
