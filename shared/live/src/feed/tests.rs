//! Plays interleavings of publishers, the pumps of two replicas, and a client that moves between them. Nothing runs by
//! itself: each step is polled once, so that a failure is shrunk to the shortest interleaving.

use std::sync::Arc;

use bus::{Bus, Memory, OffsetsReach, Outgoing, Reader, Start, Topic};
use clock::SeededRandom;
use futures::FutureExt;
use proptest::prelude::*;

use super::*;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A record with this key is published.
    Publish { key: usize },
    /// The pump of this replica reads at most so many records.
    Pump { replica: usize, most: usize },
    /// The client asks for a delivery.
    Deliver,
    /// The client goes on at this replica with its cursor.
    Move { replica: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..KEYS.len()).prop_map(|key| Step::Publish { key }),
        3 => (0..2_usize, 1..4_usize).prop_map(|(replica, most)| Step::Pump { replica, most }),
        4 => Just(Step::Deliver),
        2 => (0..2_usize).prop_map(|replica| Step::Move { replica }),
    ];
    prop::collection::vec(step, 1..120)
}

/// A feed without a task: the test moves its pump.
struct Replica {
    feed: Feed,
    reader: Box<dyn Reader>,
}

/// Two replicas, a client, and what it has got.
struct Play {
    bus: Memory,
    replicas: [Replica; 2],
    filter: Filter<Incoming>,
    client: Subscription,
    got: Vec<Arc<Incoming>>,
    published: usize,
}

/// The output of a future that does not have to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

impl Play {
    fn begin(seed: u64, filter: Filter<Incoming>) -> Self {
        let bus = Memory::new(Arc::new(SeededRandom::new(seed)), OffsetsReach::AtOnce);
        let topic = Topic { name: "trips", partitions: 2, compacted: false };
        now(bus.create_topics(&[topic])).expect("a topic");
        let replicas = [(); 2].map(|()| {
            let key = CursorKey::new(&[1; 32]).expect("a key");
            let settings = FeedSettings::new(&["trips"], Uuid::nil(), key);
            let shared = Arc::new(Shared::new(Arc::new(bus.clone()), settings));
            let reader = now(shared.reader(Start::End)).expect("a reader");
            shared.frontier().next = reader.positions().into();
            Replica { feed: Feed(shared), reader }
        });
        let client = now(replicas[0].feed.subscribe(filter.clone(), None)).expect("subscribed");
        Self { bus, replicas, filter, client, got: Vec::new(), published: 0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { key } => {
                let record = Outgoing {
                    topic: "trips".to_owned(),
                    key: KEYS[key].to_owned(),
                    headers: event::Headers::new(),
                    value: self.published.to_string().into_bytes(),
                };
                let mut producer = now(self.bus.producer()).expect("a producer");
                assert!(now(producer.publish(&[record])).error.is_none());
                self.published += 1;
            }
            Step::Pump { replica, most } => drop(self.pump(replica, most)),
            Step::Deliver => drop(self.deliver()),
            Step::Move { replica } => {
                let cursor = self.client.cursor();
                let feed = &self.replicas[replica].feed;
                let resumed = now(feed.subscribe(self.filter.clone(), Some(&cursor)));
                self.client = resumed.expect("resumed");
            }
        }
    }

    /// Returns whether there was a record to read.
    fn pump(&mut self, replica: usize, most: usize) -> bool {
        let Replica { feed, reader } = &mut self.replicas[replica];
        let Some(read) = reader.receive(most).now_or_never() else { return false };
        feed.0.publish(read.expect("records"));
        true
    }

    /// Returns whether there was a delivery.
    fn deliver(&mut self) -> bool {
        match self.client.next().now_or_never() {
            None => false,
            Some(Ok(Delivery::Record(record))) => {
                self.got.push(record);
                true
            }
            Some(other) => panic!("{other:?}"),
        }
    }

    /// Lets everything run until nothing happens any more.
    fn end(&mut self) {
        while (0..2).any(|replica| self.pump(replica, 3)) || self.deliver() {}
    }
}

/// Plays the steps. Returns the numbers of the records that came, in the order of each partition.
fn play(seed: u64, filter: Filter<Incoming>, steps: &[Step]) -> Vec<usize> {
    let mut play = Play::begin(seed, filter);
    for step in steps {
        play.step(*step);
    }
    play.end();
    for partition in 0..2 {
        let offsets = play.got.iter().filter(|r| r.partition == partition).map(|r| r.offset);
        assert!(offsets.is_sorted_by(|a, b| a < b), "a repeat, or another order");
    }
    let numbers = play.got.iter().map(|record| String::from_utf8_lossy(&record.value).parse());
    let mut numbers: Vec<usize> = numbers.map(|number| number.expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_client_gets_each_record_once_whatever_comes_in_between(seed: u64, steps in steps()) {
        let keys = steps.iter().filter_map(|step| match step {
            Step::Publish { key } => Some(*key),
            _ => None,
        });
        let keys: Vec<usize> = keys.collect();
        let all: Vec<usize> = (0..keys.len()).collect();
        prop_assert_eq!(play(seed, Filter::all(), &steps), all);
        let of_b: Vec<usize> = (0..keys.len()).filter(|number| keys[*number] == 1).collect();
        prop_assert_eq!(play(seed, Filter::all().key("b"), &steps), of_b);
    }
}
