//! The state of a hub and its transitions, without a clock, without I/O and without waiting.
//!
//! # Invariants
//!
//! 1. A subscriber's queue holds the newest of the messages that it has not taken, in the order of publishing, and at
//!    most `limit` of them. `missed` counts those that were dropped from its front since the last `Lagged`.
//! 2. A subscriber is in `of_key` under the key of its filter if it has one, and in `of_all_keys` otherwise.
//! 3. An id that is unknown belongs to a subscriber whose filter panicked: a subscriber that leaves does not ask again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::filter::{Filter, Message, Panicked};
use super::{Ended, Received};

/// The number of a subscriber, which is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubscriberId(u64);

pub(super) struct Core<M> {
    subscribers: HashMap<SubscriberId, Subscriber<M>>,
    of_key: HashMap<Vec<u8>, BTreeSet<SubscriberId>>,
    of_all_keys: BTreeSet<SubscriberId>,
    next_id: u64,
    is_stopped: bool,
}

struct Subscriber<M> {
    filter: Filter<M>,
    limit: NonZeroUsize,
    queue: VecDeque<Arc<M>>,
    missed: u64,
    /// Whether the subscriber has to be told of a reset.
    is_reset: bool,
}

/// What a publish did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The subscribers that have got the message.
    pub(super) reached: Vec<SubscriberId>,
    /// The subscribers that were removed because their filters panicked.
    pub(super) removed: Vec<SubscriberId>,
}

impl<M: Message> Core<M> {
    pub(super) fn new() -> Self {
        Self {
            subscribers: HashMap::new(),
            of_key: HashMap::new(),
            of_all_keys: BTreeSet::new(),
            next_id: 0,
            is_stopped: false,
        }
    }

    pub(super) fn subscribe(&mut self, filter: Filter<M>, limit: NonZeroUsize) -> SubscriberId {
        let id = SubscriberId(self.next_id);
        self.next_id += 1;
        match filter.only_key() {
            Some(key) => self.of_key.entry(key.to_vec()).or_default().insert(id),
            None => self.of_all_keys.insert(id),
        };
        let queue = VecDeque::new();
        let subscriber = Subscriber { filter, limit, queue, missed: 0, is_reset: false };
        self.subscribers.insert(id, subscriber);
        id
    }

    /// Forgets the subscriber and its queue.
    pub(super) fn leave(&mut self, id: SubscriberId) {
        let Some(subscriber) = self.subscribers.remove(&id) else { return };
        let Some(key) = subscriber.filter.only_key() else {
            self.of_all_keys.remove(&id);
            return;
        };
        if let Some(ids) = self.of_key.get_mut(key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_key.remove(key);
            }
        }
    }

    /// Puts the message into the queues of all subscribers whose filters accept it.
    pub(super) fn publish(&mut self, message: &Arc<M>) -> Outcome {
        let mut outcome = Outcome::default();
        if self.is_stopped {
            return outcome;
        }
        let of_key = self.of_key.get(message.key()).into_iter().flatten();
        for id in of_key.chain(&self.of_all_keys) {
            let Some(subscriber) = self.subscribers.get_mut(id) else { continue };
            match subscriber.filter.accepts(message) {
                Ok(false) => {}
                Ok(true) => {
                    subscriber.push(Arc::clone(message));
                    outcome.reached.push(*id);
                }
                Err(Panicked) => outcome.removed.push(*id),
            }
        }
        for id in &outcome.removed {
            self.leave(*id);
        }
        outcome
    }

    /// Empties all queues. Each subscriber is told that the publisher has missed messages. Returns the subscribers.
    pub(super) fn reset(&mut self) -> Vec<SubscriberId> {
        for subscriber in self.subscribers.values_mut() {
            subscriber.queue.clear();
            subscriber.missed = 0;
            subscriber.is_reset = true;
        }
        self.subscribers.keys().copied().collect()
    }

    /// Ends all subscriptions, also those that are made later. Returns the subscribers.
    pub(super) fn stop(&mut self) -> Vec<SubscriberId> {
        self.is_stopped = true;
        self.subscribers.keys().copied().collect()
    }

    /// What the subscriber gets next, if there is anything.
    pub(super) fn take(&mut self, id: SubscriberId) -> Result<Option<Received<M>>, Ended> {
        if self.is_stopped {
            return Err(Ended::Stopped);
        }
        let subscriber = self.subscribers.get_mut(&id).ok_or(Ended::FilterPanicked)?;
        if std::mem::take(&mut subscriber.is_reset) {
            return Ok(Some(Received::Reset));
        }
        if subscriber.missed > 0 {
            return Ok(Some(Received::Lagged(std::mem::take(&mut subscriber.missed))));
        }
        Ok(subscriber.queue.pop_front().map(Received::Message))
    }

    /// Whether nothing waits for the subscriber.
    pub(super) fn is_idle(&self, id: SubscriberId) -> bool {
        self.subscribers.get(&id).is_some_and(|subscriber| {
            subscriber.queue.is_empty() && subscriber.missed == 0 && !subscriber.is_reset
        })
    }

    pub(super) fn len(&self) -> usize {
        self.subscribers.len()
    }
}

impl<M> Subscriber<M> {
    fn push(&mut self, message: Arc<M>) {
        if self.queue.len() == self.limit.get() {
            self.queue.pop_front();
            self.missed += 1;
        }
        self.queue.push_back(message);
    }
}

#[cfg(test)]
mod tests;
