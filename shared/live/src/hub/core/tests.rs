//! Unit tests of each promise of the core, and a comparison with a simple model.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    topic: &'static str,
    key: &'static str,
    number: u64,
}

impl Message for Note {
    fn topic(&self) -> &str {
        self.topic
    }

    fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }
}

fn note(number: u64) -> Arc<Note> {
    Arc::new(Note { topic: "trips", key: "a", number })
}

fn limit(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).unwrap()
}

fn publish(core: &mut Core<Note>, numbers: RangeInclusive<u64>) {
    for number in numbers {
        core.publish(&note(number));
    }
}

/// A short text for each thing that waits, and for the end.
fn drain(core: &mut Core<Note>, id: SubscriberId) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(match core.take(id) {
            Ok(None) => return all,
            Ok(Some(Received::Message(note))) => note.number.to_string(),
            Ok(Some(Received::Lagged(missed))) => format!("lagged {missed}"),
            Ok(Some(Received::Reset)) => "reset".to_owned(),
            Err(ended) => {
                all.push(format!("{ended:?}"));
                return all;
            }
        });
    }
}

#[test]
fn publishing_to_no_subscriber_is_no_error() {
    assert_eq!(Core::new().publish(&note(1)), Outcome::default());
}

#[test]
fn a_slow_subscriber_is_told_how_much_it_missed_and_goes_on_with_the_newest() {
    let mut core = Core::new();
    let (slow, quick) =
        (core.subscribe(Filter::all(), limit(2)), core.subscribe(Filter::all(), limit(9)));
    for number in 1..=5 {
        core.publish(&note(number));
    }
    assert_eq!(drain(&mut core, slow), ["lagged 3", "4", "5"]);
    assert_eq!(drain(&mut core, quick), ["1", "2", "3", "4", "5"], "it is unharmed");
    core.publish(&note(6));
    assert_eq!(drain(&mut core, slow), ["6"]);
}

#[test]
fn messages_that_are_missed_after_a_lag_was_told_are_told_again_in_their_place() {
    let mut core = Core::new();
    let id = core.subscribe(Filter::all(), limit(2));
    publish(&mut core, 1..=3);
    assert!(matches!(core.take(id), Ok(Some(Received::Lagged(1)))));
    publish(&mut core, 4..=5);
    assert_eq!(drain(&mut core, id), ["lagged 2", "4", "5"]);
}

#[test]
fn a_filter_that_panics_removes_its_subscriber_only() {
    let mut core = Core::new();
    let refuses_two = Filter::all().only_if(|note: &Note| {
        assert_ne!(note.number, 2, "this panic is a part of the test");
        true
    });
    let panicking = core.subscribe(refuses_two, limit(9));
    let other = core.subscribe(Filter::all(), limit(9));
    core.publish(&note(1));
    let outcome = core.publish(&note(2));
    assert_eq!(outcome, Outcome { reached: vec![other], removed: vec![panicking] });
    assert_eq!(core.len(), 1);
    core.publish(&note(3));
    assert_eq!(drain(&mut core, panicking), ["FilterPanicked"]);
    assert_eq!(drain(&mut core, other), ["1", "2", "3"]);
}

#[test]
fn a_filter_may_ask_for_topics_a_key_and_more() {
    let notes = [("trips", "a"), ("trips", "b"), ("bookings", "a"), ("refunds", "a")];
    let notes: Vec<_> = (1..)
        .zip(notes)
        .map(|(number, (topic, key))| Arc::new(Note { topic, key, number }))
        .collect();
    let wanted = |filter| {
        let mut core = Core::new();
        let id = core.subscribe(filter, limit(9));
        for note in &notes {
            core.publish(note);
        }
        drain(&mut core, id)
    };
    assert_eq!(wanted(Filter::all()), ["1", "2", "3", "4"]);
    assert_eq!(wanted(Filter::all().topic("trips").topic("bookings")), ["1", "2", "3"]);
    assert_eq!(wanted(Filter::all().key("a")), ["1", "3", "4"]);
    assert_eq!(wanted(Filter::all().key("a").topic("trips")), ["1"]);
    assert_eq!(wanted(Filter::all().only_if(|note: &Note| note.number > 2)), ["3", "4"]);
    assert_eq!(wanted(Filter::all().key("none")), Vec::<String>::new());
}

#[test]
fn a_subscriber_that_leaves_is_forgotten_at_once() {
    let mut core = Core::new();
    for filter in [Filter::all(), Filter::all().key("a")] {
        let id = core.subscribe(filter, limit(1));
        core.leave(id);
    }
    assert_eq!(core.publish(&note(1)), Outcome::default());
    assert_eq!(core.len(), 0);
    assert!(core.of_key.is_empty() && core.of_all_keys.is_empty());
}

#[test]
fn a_reset_is_told_before_what_comes_later_and_instead_of_what_waited() {
    let mut core = Core::new();
    let id = core.subscribe(Filter::all(), limit(1));
    publish(&mut core, 1..=3);
    core.reset();
    assert!(!core.is_idle(id));
    core.publish(&note(4));
    assert_eq!(drain(&mut core, id), ["reset", "4"]);
    assert!(core.is_idle(id));
}

#[test]
fn a_stop_ends_all_subscriptions_and_later_ones() {
    let mut core = Core::new();
    let before = core.subscribe(Filter::all(), limit(9));
    core.publish(&note(1));
    assert_eq!(core.stop(), [before]);
    assert_eq!(core.publish(&note(2)), Outcome::default());
    let after = core.subscribe(Filter::all(), limit(9));
    for id in [before, after] {
        assert_eq!(drain(&mut core, id), ["Stopped"]);
    }
}

/// What can happen to a hub.
#[derive(Debug, Clone, Copy)]
enum Step {
    Subscribe { key: Option<usize>, limit: usize },
    Leave { nth: usize },
    Publish { key: usize },
    Take { nth: usize },
}

/// A subscriber with an endless queue, from which it cuts what the limit does not allow when it takes.
struct Model {
    id: SubscriberId,
    key: Option<&'static str>,
    limit: usize,
    waiting: VecDeque<u64>,
}

const KEYS: [&str; 3] = ["a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (prop::option::of(0..KEYS.len()), 1..4_usize)
            .prop_map(|(key, limit)| Step::Subscribe { key, limit }),
        1 => (0..4_usize).prop_map(|nth| Step::Leave { nth }),
        6 => (0..KEYS.len()).prop_map(|key| Step::Publish { key }),
        4 => (0..4_usize).prop_map(|nth| Step::Take { nth }),
    ];
    prop::collection::vec(step, 1..80)
}

/// Everything that a subscriber of the model takes at once.
fn expected(model: &mut Model) -> Vec<String> {
    let surplus = model.waiting.len().saturating_sub(model.limit);
    model.waiting.drain(..surplus);
    let lagged = (surplus > 0).then(|| format!("lagged {surplus}"));
    lagged.into_iter().chain(model.waiting.drain(..).map(|number| number.to_string())).collect()
}

proptest! {
    #[test]
    fn each_subscriber_gets_the_newest_of_its_messages_in_order_and_a_count_of_the_others(
        steps in steps()
    ) {
        let mut core = Core::new();
        let mut models: Vec<Model> = Vec::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Subscribe { key, limit } => {
                    let key = key.map(|key| KEYS[key]);
                    let filter = key.map_or(Filter::all(), |key| Filter::all().key(key));
                    let id = core.subscribe(filter, NonZeroUsize::new(limit).unwrap());
                    models.push(Model { id, key, limit, waiting: VecDeque::new() });
                }
                Step::Leave { nth } if nth < models.len() => {
                    core.leave(models.remove(nth).id);
                }
                Step::Publish { key } => {
                    let key = KEYS[key];
                    let wanting = models.iter_mut().filter(|model| model.key.is_none_or(|k| k == key));
                    let mut reached: Vec<_> = wanting
                        .map(|model| {
                            model.waiting.push_back(number);
                            model.id
                        })
                        .collect();
                    let mut outcome = core.publish(&Arc::new(Note { topic: "trips", key, number }));
                    reached.sort();
                    outcome.reached.sort();
                    prop_assert_eq!(outcome, Outcome { reached, removed: Vec::new() });
                }
                Step::Take { nth } if nth < models.len() => {
                    let model = &mut models[nth];
                    prop_assert_eq!(drain(&mut core, model.id), expected(model));
                }
                Step::Leave { .. } | Step::Take { .. } => {}
            }
            prop_assert_eq!(core.len(), models.len());
        }
        for model in &mut models {
            prop_assert_eq!(drain(&mut core, model.id), expected(model));
        }
    }
}
