//! A bus whose readers fail, and filters that panic.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bus::{
    Bus, BusError, Consumer, Incoming, PartitionState, Position, Producer, Reader, Start, Topic,
};
use quintet_live::{Delivery, Ended, Feed, Filter, Reset};
use tokio::sync::Notify;

use crate::rig::{Rig, assert_each_once, settings, take, within};

/// A bus in memory, of which every open reader fails on demand.
struct Failing {
    inner: Arc<dyn Bus>,
    fault: Arc<Fault>,
}

#[derive(Default)]
struct Fault {
    next: Mutex<Option<BusError>>,
    set: Notify,
}

impl Fault {
    /// Makes the reader that waits fail, once.
    fn inject(&self, error: BusError) {
        *self.next.lock().unwrap() = Some(error);
        self.set.notify_one();
    }

    async fn wait(&self) -> BusError {
        loop {
            if let Some(error) = self.next.lock().unwrap().take() {
                return error;
            }
            self.set.notified().await;
        }
    }
}

struct FailingReader {
    inner: Box<dyn Reader>,
    fault: Arc<Fault>,
}

#[async_trait]
impl Reader for FailingReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        self.inner.read(max).await
    }

    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        tokio::select! {
            biased;
            error = self.fault.wait() => Err(error),
            received = self.inner.receive(max) => received,
        }
    }

    fn positions(&self) -> Vec<Position> {
        self.inner.positions()
    }
}

#[async_trait]
impl Bus for Failing {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        self.inner.create_topics(topics).await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        self.inner.producer().await
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        self.inner.consumer(group, topics).await
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        self.inner.partitions(group, topics).await
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        self.inner.rewind(group, topics).await
    }

    async fn reader(&self, topics: &[&str], from: Start) -> Result<Box<dyn Reader>, BusError> {
        let inner = self.inner.reader(topics, from).await?;
        Ok(Box::new(FailingReader { inner, fault: Arc::clone(&self.fault) }))
    }

    fn max_record_bytes(&self) -> usize {
        self.inner.max_record_bytes()
    }
}

async fn failing() -> (Rig, Arc<Fault>, Feed) {
    let Rig { bus: inner, folder } = Rig::memory();
    let fault = Arc::new(Fault::default());
    let rig = Rig { bus: Arc::new(Failing { inner, fault: Arc::clone(&fault) }), folder };
    rig.create_topics().await;
    let feed = rig.feed_with(settings()).await;
    (rig, fault, feed)
}

fn unavailable() -> BusError {
    BusError::Unavailable { reason: "this failure is a part of the test".to_owned() }
}

#[tokio::test]
async fn after_a_failure_that_passes_the_feed_goes_on_at_the_edge() {
    let (rig, fault, feed) = failing().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let mut records = Vec::new();
    for round in 0..20 {
        fault.inject(unavailable());
        rig.publish(round * 10..round * 10 + 10).await;
        records.extend(take(&mut all, 10).await);
    }
    assert_each_once(&records, 0..200);
}

#[tokio::test]
async fn records_that_the_feed_itself_missed_are_a_reset_for_every_subscriber() {
    let (rig, fault, feed) = failing().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let mut other = feed.subscribe(Filter::all().key("none"), None).await.expect("subscribed");
    rig.publish(0..10).await;
    assert_each_once(&take(&mut all, 10).await, 0..10);
    fault.inject(BusError::OutOfReach);
    for subscription in [&mut all, &mut other] {
        let first = within(subscription.next()).await;
        assert!(matches!(first, Ok(Delivery::Reset(Reset::Gone))), "{first:?}");
    }
    rig.publish(10..20).await;
    assert_each_once(&take(&mut all, 10).await, 10..20);
    // The cursor after a reset is as good as any other.
    let mut again = feed.subscribe(Filter::all(), Some(&other.cursor())).await.expect("subscribed");
    rig.publish(20..30).await;
    assert_each_once(&take(&mut again, 10).await, 20..30);
}

#[tokio::test]
async fn a_failure_that_does_not_pass_stops_the_feed_and_each_subscription() {
    let (_rig, fault, feed) = failing().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    fault.inject(BusError::Settings { name: "bus.url".to_owned(), why: "is wrong".to_owned() });
    within(feed.stopped()).await;
    assert_eq!(within(all.next()).await.expect_err("it ends"), Ended::Stopped);
}

#[tokio::test]
async fn a_filter_that_panics_ends_its_own_subscription_live_and_while_it_catches_up() {
    let rig = Rig::memory();
    rig.create_topics().await;
    let feed = rig.feed().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let cursor = all.cursor();
    let panics = Filter::all().only_if(|record: &Incoming| {
        assert_ne!(record.value, b"5", "this panic is a part of the test");
        true
    });
    let mut live = feed.subscribe(panics.clone(), None).await.expect("subscribed");
    rig.publish(0..10).await;
    assert_each_once(&take(&mut all, 10).await, 0..10);
    let mut catching_up = feed.subscribe(panics, Some(&cursor)).await.expect("subscribed");
    for subscription in [&mut live, &mut catching_up] {
        let ended = loop {
            if let Err(ended) = within(subscription.next()).await {
                break ended;
            }
        };
        assert_eq!(ended, Ended::FilterPanicked);
        assert_eq!(subscription.next().await.expect_err("at each call"), Ended::FilterPanicked);
    }
}
