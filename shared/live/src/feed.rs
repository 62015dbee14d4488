//! Publishes all records of a bus to the subscribers of this process, and resumes clients from cursors.
//!
//! [`pump`] reads the bus into a hub. [`subscription`] has one subscriber catch up, and switches it to the hub.

mod pump;
mod subscription;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::{Bus, BusError, Incoming, Start};
use tokio::sync::watch;
use uuid::Uuid;

pub use self::subscription::Subscription;
use crate::cursor::{Cursor, CursorError, CursorKey, Refusal};
use crate::hub::{Filter, Hub, HubSubscription};
use crate::positions::Positions;

/// The settings of a feed.
#[derive(Debug, Clone)]
pub struct FeedSettings {
    /// The topics to read, all partitions of each.
    pub topics: Vec<String>,
    /// Which bus this is, such as the id of [`Bus::identity`]. A cursor of another bus gives [`Reset::OtherEpoch`].
    pub epoch: Uuid,
    /// Authenticates cursors. All replicas have the same.
    pub key: CursorKey,
    /// How many records wait for a subscriber at most, before the oldest are lost to it.
    pub queue: NonZeroUsize,
}

impl FeedSettings {
    /// How many records wait for a subscriber unless the settings say something else.
    pub const DEFAULT_QUEUE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

    /// Settings with the default queue.
    #[must_use]
    pub fn new(topics: &[&str], epoch: Uuid, key: CursorKey) -> Self {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Self { topics, epoch, key, queue: Self::DEFAULT_QUEUE }
    }
}

/// What a subscriber gets.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The next record that the filter accepts.
    Record(Arc<Incoming>),
    /// The subscriber was too slow, and missed this many records. The newest ones follow. A new subscription with a
    /// cursor from before gets them, as long as the bus has them.
    Lagged(u64),
    /// The client has to get a snapshot. All records from now on follow.
    Reset(Reset),
}

/// Why a client has to begin anew with a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reset {
    /// The cursor is of another bus.
    #[error("the cursor is of another epoch")]
    OtherEpoch,
    /// The cursor was not made with this feed's key.
    #[error("the cursor was not made by this service, or before its key was changed")]
    Forged,
    /// The next records do not exist: they were deleted, or the broker has lost records.
    #[error("the records after the cursor do not exist any more")]
    Gone,
}

/// Why a subscription could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The client sent a text that is no cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The bus could not be read from the cursor on. [`BusError::is_transient`] says whether a retry may help.
    #[error("the records after the cursor cannot be read")]
    Bus(#[from] BusError),
}

/// The live feed of a bus at one replica. Its drop ends all subscriptions.
///
/// ```
/// use std::sync::Arc;
/// use bus::{Bus, Memory, OffsetsReach, Outgoing, Topic};
/// use clock::SystemRandom;
/// use quintet_live::{CursorKey, Delivery, Feed, FeedSettings, Filter};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let bus = Arc::new(Memory::new(Arc::new(SystemRandom), OffsetsReach::AtOnce));
/// bus.create_topics(&[Topic { name: "trips", partitions: 3, compacted: false }]).await?;
/// let key = CursorKey::new(b"the same secret at each replica!")?;
/// let epoch = uuid::Uuid::nil(); // the bus's id; one in memory has none
/// let feed = Feed::open(bus.clone(), FeedSettings::new(&["trips"], epoch, key)).await?;
///
/// let of_one_trip = Filter::all().key("trip 1");
/// let mut subscription = feed.subscribe(of_one_trip.clone(), None).await?;
/// let cursor = subscription.cursor();
/// let record = Outgoing {
///     topic: "trips".to_owned(),
///     key: "trip 1".to_owned(),
///     headers: Default::default(),
///     value: b"{}".to_vec(),
/// };
/// bus.producer().await?.publish(&[record]).await;
/// assert!(matches!(subscription.next().await?, Delivery::Record(_)));
///
/// // The connection is lost. With the cursor from before, the record comes again, at any replica.
/// drop(subscription);
/// let mut again = feed.subscribe(of_one_trip, Some(&cursor)).await?;
/// assert!(matches!(again.next().await?, Delivery::Record(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Feed(Arc<Shared>);

/// What the feed, its pump and its subscriptions share.
struct Shared {
    bus: Arc<dyn Bus>,
    settings: FeedSettings,
    hub: Hub<Incoming>,
    /// Locked around each change of the hub's messages, and before the hub's own lock.
    frontier: Mutex<Frontier>,
    stopped: watch::Sender<bool>,
}

/// How far the pump has published the bus. See [`subscription`] for what depends on it.
#[derive(Debug, Clone, Default)]
struct Frontier {
    /// The next offset that the pump will publish, of each partition.
    next: Positions,
    /// `next` at the latest reset.
    at_reset: Positions,
}

impl Shared {
    fn new(bus: Arc<dyn Bus>, settings: FeedSettings) -> Self {
        let (hub, frontier, stopped) = (Hub::new(), Mutex::default(), watch::Sender::new(false));
        Self { bus, settings, hub, frontier, stopped }
    }

    fn frontier(&self) -> MutexGuard<'_, Frontier> {
        // The hub catches panics of filters, so no code panics under this lock.
        self.frontier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes records that follow each other, and moves the frontier past them.
    fn publish(&self, records: Vec<Incoming>) {
        let mut frontier = self.frontier();
        for record in records {
            frontier.next.pass(&record);
            self.hub.publish(record);
        }
    }

    /// Tells all subscribers that records were lost to them, and goes on from here.
    fn reset(&self, next: Positions) {
        let mut frontier = self.frontier();
        *frontier = Frontier { at_reset: next.clone(), next };
        self.hub.reset();
    }

    fn join(&self, filter: &Filter<Incoming>) -> HubSubscription<Incoming> {
        self.hub.subscribe(filter.clone(), self.settings.queue)
    }

    async fn reader(&self, from: Start) -> Result<Box<dyn bus::Reader>, BusError> {
        let topics: Vec<_> = self.settings.topics.iter().map(String::as_str).collect();
        self.bus.reader(&topics, from).await
    }

    fn stop(&self) {
        self.stopped.send_replace(true);
        self.hub.stop();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, hub, frontier, .. } = self;
        f.debug_struct("Shared")
            .field("bus", &self.bus.address())
            .field("settings", settings)
            .field("hub", hub)
            .field("frontier", frontier)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// Begins with the next record that is published on each topic. It must be called within a Tokio runtime.
    ///
    /// # Errors
    /// Those of [`Bus::reader`], such as [`BusError::Unavailable`] while the broker is away. Once the feed is open, it
    /// waits for an absent broker by itself.
    pub async fn open(bus: Arc<dyn Bus>, settings: FeedSettings) -> Result<Self, BusError> {
        let shared = Arc::new(Shared::new(bus, settings));
        let reader = shared.reader(Start::End).await?;
        shared.frontier().next = reader.positions().into();
        tokio::spawn(pump::run(Arc::clone(&shared), reader));
        Ok(Self(shared))
    }

    /// Subscribes to the records that the filter accepts: to those after the cursor, or without one to those that the
    /// feed publishes from now on. If the cursor cannot be resumed from, the first delivery is a [`Delivery::Reset`].
    ///
    /// # Errors
    /// [`SubscribeError::Cursor`] if the text is no cursor, [`SubscribeError::Bus`] if the bus cannot be read.
    pub async fn subscribe(
        &self,
        filter: Filter<Incoming>,
        cursor: Option<&str>,
    ) -> Result<Subscription, SubscribeError> {
        let shared = Arc::clone(&self.0);
        let Some(text) = cursor else {
            return Ok(Subscription::of_the_present(shared, filter, None));
        };
        let FeedSettings { key, epoch, .. } = &shared.settings;
        match Cursor::open(text, key, *epoch) {
            Ok(cursor) => Subscription::after(shared, filter, cursor.seen).await,
            Err(Refusal::Reset(reset)) => {
                Ok(Subscription::of_the_present(shared, filter, Some(reset)))
            }
            Err(Refusal::NoCursor(error)) => Err(error.into()),
        }
    }

    /// How many subscribers get records from the hub. Those that catch up do not count.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.hub.subscribers()
    }

    /// Ends all subscriptions, also those that are made later, and stops reading the bus.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Waits until the feed has stopped. It stops by itself only if the bus fails in a way that does not pass.
    pub async fn stopped(&self) {
        // Cannot fail: the sender is in `self`.
        let _ = self.0.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
