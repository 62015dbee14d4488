//! Tests of waiting, waking and dropping. `core/tests.rs` tests what the hub decides.

use super::*;

#[derive(Debug)]
struct Note(u64);

impl Message for Note {
    fn topic(&self) -> &'static str {
        "notes"
    }

    fn key(&self) -> &'static [u8] {
        b"key"
    }
}

const QUEUE: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

async fn number(subscription: &mut HubSubscription<Note>) -> u64 {
    match subscription.next().await {
        Ok(Received::Message(note)) => note.0,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_that_wait_are_woken_by_each_message() {
    let hub = Arc::new(Hub::new());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut subscription = hub.subscribe(Filter::all(), QUEUE);
        waiting.push(tokio::spawn(async move {
            for expected in 0..500 {
                assert_eq!(number(&mut subscription).await, expected);
            }
        }));
    }
    for n in 0..500 {
        assert_eq!(hub.publish(Note(n)), 3);
        if n % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for subscriber in waiting {
        subscriber.await.expect("it has got all");
    }
}

#[tokio::test]
async fn a_subscriber_whose_task_panics_is_forgotten_and_others_get_all() {
    let hub = Hub::new();
    let mut panicking = hub.subscribe(Filter::all(), QUEUE);
    let mut other = hub.subscribe(Filter::all(), QUEUE);
    let task = tokio::spawn(async move {
        let first = number(&mut panicking).await;
        panic!("this panic is a part of the test: {first}");
    });
    hub.publish(Note(1));
    task.await.expect_err("it panics");
    assert_eq!(hub.subscribers(), 1);
    assert_eq!(hub.publish(Note(2)), 1);
    assert_eq!((number(&mut other).await, number(&mut other).await), (1, 2));
}

#[tokio::test]
async fn a_subscriber_that_waits_ends_with_the_hub_and_when_its_filter_panics() {
    let hub = Hub::new();
    let panics = Filter::all().only_if(|_: &Note| panic!("this panic is a part of the test"));
    let mut panicking = hub.subscribe(panics, QUEUE);
    let mut stopped = hub.subscribe(Filter::all().key("another"), QUEUE);
    let panicked = tokio::spawn(async move { panicking.next().await.err() });
    let stopping = tokio::spawn(async move { stopped.next().await.err() });
    tokio::task::yield_now().await;
    hub.publish(Note(1));
    assert_eq!(panicked.await.expect("no panic"), Some(Ended::FilterPanicked));
    drop(hub);
    assert_eq!(stopping.await.expect("no panic"), Some(Ended::Stopped));
}

#[tokio::test]
async fn a_dropped_next_loses_nothing() {
    let hub = Hub::new();
    let mut subscription = hub.subscribe(Filter::all(), QUEUE);
    for n in 0..100 {
        let publishing = async {
            tokio::task::yield_now().await;
            hub.publish(Note(n));
        };
        tokio::select! {
            biased;
            received = subscription.next() => panic!("nothing was published: {received:?}"),
            () = publishing => {}
        }
        assert_eq!(number(&mut subscription).await, n);
    }
    assert!(subscription.is_idle());
}
