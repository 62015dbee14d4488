//! Checks of cursors that cannot be resumed from, of garbage, and of the end.

use quintet_live::{
    Delivery, Ended, Feed, FeedSettings, Filter, Reset, SubscribeError, Subscription,
};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::rig::{Rig, assert_each_once, key, settings, take, within};

async fn resume(feed: &Feed, cursor: &str) -> Subscription {
    within(feed.subscribe(Filter::all(), Some(cursor))).await.expect("subscribed")
}

async fn assert_reset(subscription: &mut Subscription, expected: Reset) {
    match within(subscription.next()).await {
        Ok(Delivery::Reset(reset)) => assert_eq!(reset, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

pub async fn a_cursor_that_cannot_be_resumed_from_is_a_reset_and_the_present_follows(rig: Rig) {
    rig.create_topics().await;
    let feed = rig.feed().await;
    let cursor_of = async |settings| {
        let other = rig.feed_with(settings).await;
        other.subscribe(Filter::all(), None).await.expect("subscribed").cursor()
    };
    let other_epoch = cursor_of(FeedSettings { epoch: Uuid::from_u128(2), ..settings() }).await;
    let other_key = cursor_of(FeedSettings { key: key(2), ..settings() }).await;
    rig.publish(0..20).await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    for (cursor, reset) in [(other_epoch, Reset::OtherEpoch), (other_key, Reset::Forged)] {
        let mut subscription = resume(&feed, &cursor).await;
        assert_reset(&mut subscription, reset).await;
    }
    let mut late =
        resume(&feed, &cursor_of(FeedSettings { key: key(3), ..settings() }).await).await;
    assert_reset(&mut late, Reset::Forged).await;
    // The pump may publish some of the first records after the subscriptions above began.
    rig.publish(20..40).await;
    let is_new = |number: &usize| *number >= 20;
    for subscription in [&mut all, &mut late] {
        let mut new = Vec::new();
        while new.len() < 20 {
            let records = take(subscription, 1).await;
            new.extend(records.into_iter().filter(|r| is_new(&crate::rig::number(r))));
        }
        assert_each_once(&new, 20..40);
    }
}

pub async fn garbage_is_a_clear_error(rig: Rig) {
    rig.create_topics().await;
    let feed = rig.feed().await;
    for garbage in ["", "garbage!", "AAAA", "null"] {
        let error = feed.subscribe(Filter::all(), Some(garbage)).await.expect_err("refused");
        assert!(matches!(error, SubscribeError::Cursor(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("the cursor ") && text.contains("send one exactly"), "{text}");
    }
    assert_eq!(feed.subscribers(), 0);
}

pub async fn a_stop_ends_subscribers_that_wait_and_that_catch_up(rig: Rig) {
    rig.create_topics().await;
    let feed = rig.feed().await;
    let mut waiting = feed.subscribe(Filter::all().key("none"), None).await.expect("subscribed");
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let cursor = waiting.cursor();
    rig.publish(0..100).await;
    take(&mut all, 100).await;
    let mut catching_up = resume(&feed, &cursor).await;
    assert!(catching_up.is_catching_up());
    let stopping = async {
        tokio::task::yield_now().await;
        feed.stop();
        within(feed.stopped()).await;
    };
    let (ended, ()) = tokio::join!(within(waiting.next()), stopping);
    assert_eq!(ended.expect_err("it ends"), Ended::Stopped);
    assert_eq!(catching_up.next().await.expect_err("it ends"), Ended::Stopped);
    let later = feed.subscribe(Filter::all(), None).await.expect("subscribed").next().await;
    assert_eq!(later.expect_err("it ends"), Ended::Stopped);
}

/// Deletes all records of the log, as retention does.
async fn delete_all(rig: &Rig) {
    let folder = rig.folder.as_ref().expect("a log");
    let url = format!("sqlite://{}", folder.path().join("bus.db").display());
    let mut shell = SqliteConnection::connect(&url).await.expect("the file");
    sqlx::query("delete from record").execute(&mut shell).await.expect("deleted");
    shell.close().await.expect("closed");
}

#[tokio::test]
async fn a_cursor_whose_records_were_deleted_is_a_reset() {
    let rig = Rig::log().await;
    rig.create_topics().await;
    let feed = rig.feed().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let cursor = all.cursor();
    rig.publish(0..100).await;
    take(&mut all, 100).await;
    delete_all(&rig).await;
    let mut reset = resume(&feed, &cursor).await;
    let mut present = resume(&feed, &all.cursor()).await;
    rig.publish(100..110).await;
    assert_reset(&mut reset, Reset::Gone).await;
    for subscription in [&mut reset, &mut present, &mut all] {
        assert_each_once(&take(subscription, 10).await, 100..110);
    }
}

#[tokio::test]
async fn records_that_are_deleted_while_a_subscriber_catches_up_are_a_reset() {
    let rig = Rig::log().await;
    rig.create_topics().await;
    let feed = rig.feed().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let cursor = all.cursor();
    // More than a subscriber reads at once.
    rig.publish(0..2_000).await;
    take(&mut all, 2_000).await;
    let mut slow = resume(&feed, &cursor).await;
    take(&mut slow, 1).await;
    delete_all(&rig).await;
    let mut read_before = 1;
    let reset = loop {
        match within(slow.next()).await.expect("it goes on") {
            Delivery::Record(_) => read_before += 1,
            Delivery::Reset(reset) => break reset,
            Delivery::Lagged(missed) => panic!("missed {missed}"),
        }
    };
    assert_eq!(reset, Reset::Gone);
    assert!(read_before < 2_000, "{read_before}");
    rig.publish(2_000..2_010).await;
    assert_each_once(&take(&mut slow, 10).await, 2_000..2_010);
}
