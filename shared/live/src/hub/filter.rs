//! Which messages a subscription gets.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A message that a hub distributes.
pub trait Message: Send + Sync + 'static {
    /// The topic.
    fn topic(&self) -> &str;

    /// The key within the topic, such as the id of an aggregate.
    fn key(&self) -> &[u8];
}

impl Message for bus::Incoming {
    fn topic(&self) -> &str {
        &self.topic
    }

    fn key(&self) -> &[u8] {
        &self.key
    }
}

type Test<M> = dyn Fn(&M) -> bool + Send + Sync;

/// Which messages a subscription gets. Conditions add up: a message has to meet all of them.
///
/// ```
/// use bus::Incoming;
/// use quintet_live::Filter;
///
/// let small = Filter::<Incoming>::all()
///     .topic("trips")
///     .topic("bookings")
///     .key("0190b5c6-5f0e-7aaa-8000-000000000001")
///     .only_if(|record| record.value.len() < 20_000);
/// # let _ = small;
/// ```
pub struct Filter<M> {
    /// Any of these topics; `None` for all topics.
    topics: Option<BTreeSet<String>>,
    /// `None` for all keys.
    key: Option<Vec<u8>>,
    test: Option<Arc<Test<M>>>,
}

/// The test of a filter panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

impl<M: Message> Filter<M> {
    /// All messages.
    #[must_use]
    pub fn all() -> Self {
        Self { topics: None, key: None, test: None }
    }

    /// Only messages of this topic, and of others that are named in the same way.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topics.get_or_insert_default().insert(topic.into());
        self
    }

    /// Only messages with this key, such as the id of an aggregate.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// Only messages that pass this test. It replaces an earlier one.
    ///
    /// The test runs while a message is published, so it must be quick, and it must not call the hub or the feed. If
    /// it panics, the subscription ends, and no other is harmed.
    #[must_use]
    pub fn only_if(mut self, test: impl Fn(&M) -> bool + Send + Sync + 'static) -> Self {
        self.test = Some(Arc::new(test));
        self
    }

    /// The only key that messages may have; `None` for all keys.
    pub(crate) fn only_key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Whether the message meets all conditions.
    pub(crate) fn accepts(&self, message: &M) -> Result<bool, Panicked> {
        let is_wanted = self.topics.as_ref().is_none_or(|topics| topics.contains(message.topic()))
            && self.key.as_ref().is_none_or(|key| key == message.key());
        match &self.test {
            // The test sees the message by a shared reference. After a panic it is never called again.
            Some(test) if is_wanted => {
                catch_unwind(AssertUnwindSafe(|| test(message))).map_err(|_| Panicked)
            }
            _ => Ok(is_wanted),
        }
    }
}

impl<M> Clone for Filter<M> {
    fn clone(&self) -> Self {
        let Self { topics, key, test } = self;
        Self { topics: topics.clone(), key: key.clone(), test: test.clone() }
    }
}

impl<M> fmt::Debug for Filter<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().map(String::from_utf8_lossy);
        f.debug_struct("Filter")
            .field("topics", &self.topics)
            .field("key", &key)
            .field("has_test", &self.test.is_some())
            .finish()
    }
}
