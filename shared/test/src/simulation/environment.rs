//! The state that all parts of a run share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bus::Outgoing;
use clock::{Clock, ManualClock, Random};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Dice, schedule::Fault};

/// The time at which every run begins, in seconds since 1970: the beginning of 2026.
const BEGIN: i64 = 1_767_225_600;

/// The state that all parts of a run share: the clock, the dice, the names of ids in the story, the events that were
/// published, and the fault of the current step.
pub struct Environment {
    clock: ManualClock,
    dice: Dice,
    begin: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The names of ids in the story.
    names: BTreeMap<Uuid, String>,
    /// The notes of the current step for the story.
    notes: Vec<String>,
    /// The fault of the current step.
    fault: Option<Fault>,
    published: Vec<Arc<Publication>>,
    /// The latest time that the clock has shown.
    latest: Timestamp,
}

/// An event that reached the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The header `ce_type`.
    pub event_type: String,
    /// The header `ce_id`. A repeat has the same.
    pub id: String,
    /// The key of the record.
    pub key: String,
    /// The topic.
    pub topic: String,
}

impl Environment {
    pub(crate) fn new() -> Self {
        let begin = Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let state = Mutex::new(State { latest: begin, ..State::default() });
        Self { clock: ManualClock::new(begin), dice: Dice::new(0), begin, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The randomness of the current step.
    pub fn dice(&self) -> &Dice {
        &self.dice
    }

    /// Gives an id a name for the story.
    pub fn call(&self, id: Uuid, name: impl Into<String>) {
        self.state().names.insert(id, name.into());
    }

    /// The name of an id in the story; the id itself if it has none.
    pub fn name(&self, id: Uuid) -> String {
        self.state().names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The name of a record's key.
    pub fn name_of_key(&self, key: &str) -> String {
        key.parse().map_or_else(|_| key.to_owned(), |id| self.name(id))
    }

    /// Adds a note about the current step to the story.
    pub fn note(&self, note: impl Into<String>) {
        self.state().notes.push(note.into());
    }

    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().notes)
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// Draws whether the current request meets the fault of the step. Most requests of a step with a fault do.
    pub fn fault(&self) -> Option<Fault> {
        let fault = self.state().fault?;
        (self.dice.below(3) > 0).then_some(fault)
    }

    /// Remembers that a record has reached the broker. Returns the text for the story.
    pub(crate) fn publishes(&self, record: &Outgoing) -> String {
        let header = |name| record.headers.text(name).unwrap_or_default().to_owned();
        let publication = Publication {
            event_type: header("ce_type"),
            id: header("ce_id"),
            key: record.key.clone(),
            topic: record.topic.clone(),
        };
        let text = format!("{} {}", publication.event_type, self.name_of_key(&record.key));
        self.state().published.push(Arc::new(publication));
        text
    }

    pub(crate) fn published(&self) -> Vec<Arc<Publication>> {
        self.state().published.clone()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.note_time();
    }

    /// Sets the wall clock. No time passes for the monotonic clock.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
        self.note_time();
    }

    fn note_time(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        state.latest = state.latest.max(now);
    }

    pub(crate) fn begin(&self) -> Timestamp {
        self.begin
    }

    pub(crate) fn latest(&self) -> Timestamp {
        self.state().latest
    }

    /// The time from the beginning to the latest time that the clock has shown.
    pub fn elapsed(&self) -> SignedDuration {
        self.latest().duration_since(self.begin)
    }
}

impl Random for Environment {
    fn bytes(&self) -> [u8; 16] {
        self.dice.bytes()
    }

    fn below(&self, n: u64) -> u64 {
        self.dice.below(n)
    }
}

impl Clock for Environment {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn steady(&self) -> Duration {
        self.clock.steady()
    }
}
