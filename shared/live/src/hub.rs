//! Distributes messages within a process. Publishing never waits.
//!
//! [`core`] decides everything. This module adds a lock, and wakes subscribers that wait.

mod core;
mod filter;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::core::{Core, SubscriberId};
pub use self::filter::{Filter, Message};

/// What a subscription of a hub gets.
#[derive(Debug)]
pub enum Received<M> {
    /// The next message.
    Message(Arc<M>),
    /// The subscriber was too slow, and missed this many messages. The newest ones follow.
    Lagged(u64),
    /// The publisher itself missed messages. How many is unknown. Messages that come later follow.
    Reset,
}

/// Why a subscription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The hub or the feed was stopped.
    #[error("the live feed has stopped")]
    Stopped,
    /// The test of the subscription's filter panicked.
    #[error("the filter of the subscription panicked")]
    FilterPanicked,
}

/// Distributes messages to the subscribers of a process. See the crate for what it promises.
///
/// ```
/// use std::num::NonZeroUsize;
/// use quintet_live::{Filter, Hub, Message, Received};
///
/// struct Note(&'static str);
///
/// impl Message for Note {
///     fn topic(&self) -> &str {
///         "notes"
///     }
///     fn key(&self) -> &[u8] {
///         self.0.as_bytes()
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let hub = Hub::new();
/// assert_eq!(hub.publish(Note("for no subscriber")), 0);
/// let queue = NonZeroUsize::new(2).unwrap();
/// let mut subscription = hub.subscribe(Filter::all(), queue);
/// for text in ["a", "b", "c"] {
///     hub.publish(Note(text));
/// }
/// // The queue has two places, so the oldest of the three messages is lost.
/// assert!(matches!(subscription.next().await, Ok(Received::Lagged(1))));
/// assert!(matches!(subscription.next().await, Ok(Received::Message(note)) if note.0 == "b"));
/// hub.stop();
/// assert!(subscription.next().await.is_err());
/// # });
/// ```
pub struct Hub<M: Message>(Arc<Shared<M>>);

struct Shared<M>(Mutex<State<M>>);

struct State<M> {
    core: Core<M>,
    /// Wakes each subscriber that waits.
    bells: HashMap<SubscriberId, Arc<Notify>>,
}

impl<M: Message> Shared<M> {
    fn state(&self) -> MutexGuard<'_, State<M>> {
        // The core catches the panics of filters, and no other code of callers runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Message> State<M> {
    fn wake(&self, ids: &[SubscriberId]) {
        for bell in ids.iter().filter_map(|id| self.bells.get(id)) {
            bell.notify_one();
        }
    }
}

impl<M: Message> Hub<M> {
    /// A hub without subscribers.
    #[must_use]
    pub fn new() -> Self {
        let state = State { core: Core::new(), bells: HashMap::new() };
        Self(Arc::new(Shared(Mutex::new(state))))
    }

    /// Subscribes to the messages that are published from now on. At most `queue` of them wait for the subscriber.
    #[must_use]
    pub fn subscribe(&self, filter: Filter<M>, queue: NonZeroUsize) -> HubSubscription<M> {
        let bell = Arc::new(Notify::new());
        let mut state = self.0.state();
        let id = state.core.subscribe(filter, queue);
        state.bells.insert(id, Arc::clone(&bell));
        HubSubscription { hub: Arc::clone(&self.0), id, bell }
    }

    /// Publishes a message, without waiting, and returns how many subscribers have got it.
    pub fn publish(&self, message: M) -> usize {
        let message = Arc::new(message);
        let mut state = self.0.state();
        let outcome = state.core.publish(&message);
        state.wake(&outcome.reached);
        state.wake(&outcome.removed);
        let removed = outcome.removed.len();
        // The log's subscriber is code of others.
        drop(state);
        if removed > 0 {
            tracing::error!(removed, "subscriptions ended because their filters panicked");
        }
        outcome.reached.len()
    }

    /// Tells all subscribers that the publisher has missed messages. What waits in their queues is dropped.
    pub fn reset(&self) {
        let mut state = self.0.state();
        let ids = state.core.reset();
        state.wake(&ids);
    }

    /// Ends all subscriptions at once, also those that are made later. What waits in their queues is dropped.
    pub fn stop(&self) {
        let mut state = self.0.state();
        let ids = state.core.stop();
        state.wake(&ids);
    }

    /// How many subscribers there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.state().core.len()
    }
}

impl<M: Message> Default for Hub<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Message> fmt::Debug for Hub<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("subscribers", &self.subscribers()).finish()
    }
}

/// Without a hub no message can come, so its subscriptions end.
impl<M: Message> Drop for Hub<M> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A subscription to a [`Hub`]. The hub forgets it when it is dropped.
pub struct HubSubscription<M: Message> {
    hub: Arc<Shared<M>>,
    id: SubscriberId,
    bell: Arc<Notify>,
}

impl<M: Message> HubSubscription<M> {
    /// Waits for the next message, lag or reset. Cancel safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// [`Ended`] once the subscription has ended, and at each later call.
    pub async fn next(&mut self) -> Result<Received<M>, Ended> {
        loop {
            let received = self.hub.state().core.take(self.id)?;
            if let Some(received) = received {
                return Ok(received);
            }
            // A publish since the look above has left a permit, with which this returns at once.
            self.bell.notified().await;
        }
    }

    /// Whether nothing waits in the queue.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.hub.state().core.is_idle(self.id)
    }
}

impl<M: Message> fmt::Debug for HubSubscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSubscription").field("is_idle", &self.is_idle()).finish_non_exhaustive()
    }
}

impl<M: Message> Drop for HubSubscription<M> {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.core.leave(self.id);
        state.bells.remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
