//! Checks of sessions: what a subscriber gets, and how it goes on in the next session.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clock::{Random, SeededRandom};
use quintet_live::{Delivery, Feed, FeedSettings, Filter};

use crate::rig::{Rig, assert_each_once, number, settings, take, within};

/// How many records are published while sessions begin and end.
const COUNT: usize = 1_000;

pub async fn a_subscriber_gets_what_its_filter_accepts_from_now_on(rig: Rig) {
    rig.create_topics().await;
    rig.publish(0..40).await;
    let feed = rig.feed().await;
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let of_key = Filter::all().key("key 3");
    let mut of_key = feed.subscribe(of_key, None).await.expect("subscribed");
    let of_topic = Filter::all().topic("notices");
    let mut of_topic = feed.subscribe(of_topic, None).await.expect("subscribed");
    rig.publish(40..80).await;
    assert_each_once(&take(&mut all, 40).await, 40..80);
    assert_each_once(&take(&mut of_key, 4).await, (43..80).step_by(10));
    assert_each_once(&take(&mut of_topic, 10).await, (43..80).step_by(4));
}

/// Publishes the numbers in small parts, so that others run in between.
async fn publish_slowly(rig: &Rig, numbers: std::ops::Range<usize>) {
    for start in numbers.clone().step_by(5) {
        rig.publish(start..numbers.end.min(start + 5)).await;
        tokio::task::yield_now().await;
    }
}

pub async fn subscribers_that_begin_anywhere_get_each_record_once_while_others_publish(rig: Rig) {
    rig.create_topics().await;
    let feed = Arc::new(rig.feed().await);
    let mut first = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let subscribing = async {
        // The cursor after each number of records.
        let mut cursors = vec![first.cursor()];
        let (mut seen, mut sessions) = (Vec::new(), Vec::new());
        while seen.len() < COUNT {
            seen.push(number(&take(&mut first, 1).await[0]));
            cursors.push(first.cursor());
            if seen.len() % 50 == 0 {
                // From the beginning, from the middle of what was seen, and from the present.
                for known in [0, seen.len() / 2, seen.len()] {
                    let (cursor, known) = (cursors[known].clone(), seen[..known].to_vec());
                    sessions.push(tokio::spawn(session(Arc::clone(&feed), cursor, known)));
                }
            }
        }
        sessions
    };
    let (sessions, ()) = tokio::join!(subscribing, publish_slowly(&rig, 0..COUNT));
    let mut caught_up = 0;
    for session in sessions {
        caught_up += usize::from(within(session).await.expect("no panic"));
    }
    assert!(caught_up > 20, "only {caught_up} sessions had to catch up");
}

/// Gets all records that are not known at the cursor. Returns whether the session had to catch up.
async fn session(feed: Arc<Feed>, cursor: String, known: Vec<usize>) -> bool {
    let subscribed = within(feed.subscribe(Filter::all(), Some(&cursor))).await;
    let mut subscription = subscribed.expect("subscribed");
    let had_to_catch_up = subscription.is_catching_up();
    let records = take(&mut subscription, COUNT - known.len()).await;
    assert_each_once(&records, (0..COUNT).filter(|number| !known.contains(number)));
    had_to_catch_up
}

/// The client stays for a few deliveries at a replica, loses the connection, and goes on at the other one.
pub async fn a_client_that_moves_between_replicas_gets_each_record_once(rig: Rig) {
    rig.create_topics().await;
    let replicas = [rig.feed().await, rig.feed().await];
    let random = SeededRandom::new(7);
    let first = replicas[0].subscribe(Filter::all(), None).await.expect("subscribed").cursor();
    let client = async |filter: Filter<_>, count: usize| {
        let (mut cursor, mut records) = (first.clone(), Vec::new());
        for replica in replicas.iter().cycle() {
            let mut session =
                within(replica.subscribe(filter.clone(), Some(&cursor))).await.expect("subscribed");
            for _ in 0..random.below(12) {
                // Sometimes the connection is lost while the client waits.
                let patience = random.below(6) == 0;
                let received = tokio::select! {
                    biased;
                    received = within(session.next()) => received,
                    () = tokio::task::yield_now(), if patience => continue,
                };
                match received {
                    Ok(Delivery::Record(record)) => records.push(record),
                    other => panic!("{other:?}"),
                }
                if records.len() == count {
                    return records;
                }
            }
            cursor = session.cursor();
        }
        records
    };
    let of_key = Filter::all().key("key 7");
    let (all, of_key, ()) = tokio::join!(
        client(Filter::all(), COUNT),
        client(of_key, COUNT / 10),
        publish_slowly(&rig, 0..COUNT),
    );
    assert_each_once(&all, 0..COUNT);
    assert_each_once(&of_key, (7..COUNT).step_by(10));
}

pub async fn a_slow_subscriber_is_told_and_gets_the_rest_with_its_old_cursor(rig: Rig) {
    rig.create_topics().await;
    let small = NonZeroUsize::new(4).expect("a number");
    let feed = rig.feed_with(FeedSettings { queue: small, ..settings() }).await;
    let mut slow = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let cursor = slow.cursor();
    let published = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&published);
    let counting = Filter::all().only_if(move |_| counter.fetch_add(1, Ordering::SeqCst) > 100);
    let _counting = feed.subscribe(counting, None).await.expect("subscribed");
    rig.publish(0..100).await;
    within(async {
        while published.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let first = within(slow.next()).await;
    assert!(matches!(first, Ok(Delivery::Lagged(96))), "{first:?}");
    assert_eq!(take(&mut slow, 4).await.len(), 4);
    let mut again = feed.subscribe(Filter::all(), Some(&cursor)).await.expect("subscribed");
    assert_each_once(&take(&mut again, 100).await, 0..100);
}

pub async fn the_cursor_of_a_subscriber_that_gets_nothing_moves_on(rig: Rig) {
    rig.create_topics().await;
    let feed = rig.feed().await;
    let mut idle = feed.subscribe(Filter::all().key("none"), None).await.expect("subscribed");
    let mut all = feed.subscribe(Filter::all(), None).await.expect("subscribed");
    let before = idle.cursor();
    rig.publish(0..100).await;
    take(&mut all, 100).await;
    assert_ne!(idle.cursor(), before);
    assert_eq!(idle.cursor(), all.cursor());
    // From there on no record comes again.
    let mut again = feed.subscribe(Filter::all(), Some(&idle.cursor())).await.expect("subscribed");
    assert!(!again.is_catching_up());
    rig.publish(100..110).await;
    assert_each_once(&take(&mut again, 10).await, 100..110);
}
