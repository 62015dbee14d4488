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

/// The time at which every run begins.
const BEGIN: i64 = 1_767_225_600;

/// What all parts of a run share: the clock, the dice, the names that the story uses, and the fault of
/// the step under way.
pub struct Environment {
    clock: ManualClock,
    dice: Dice,
    begin: Timestamp,
    scene: Mutex<Scene>,
}

#[derive(Default)]
struct Scene {
    names: BTreeMap<Uuid, String>,
    /// What the step under way has to tell.
    notes: Vec<String>,
    fault: Option<Fault>,
    published: Vec<Arc<Publication>>,
    /// The latest time that the clock has shown.
    latest: Timestamp,
}

/// An event that reached the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its `ce_type`.
    pub event_type: String,
    /// Its `ce_id`. A repeat has the same.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its topic.
    pub topic: String,
}

impl Environment {
    pub(crate) fn new() -> Self {
        let begin = Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let scene = Mutex::new(Scene { latest: begin, ..Scene::default() });
        Self { clock: ManualClock::new(begin), dice: Dice::new(0), begin, scene }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What chance decides within the step.
    pub fn dice(&self) -> &Dice {
        &self.dice
    }

    /// Gives an id the name that the story uses for it.
    pub fn call(&self, id: Uuid, name: impl Into<String>) {
        self.scene().names.insert(id, name.into());
    }

    /// The name of an id; the id itself if it has none.
    pub fn name(&self, id: Uuid) -> String {
        self.scene().names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The name of a record's key.
    pub fn name_of_key(&self, key: &str) -> String {
        key.parse().map_or_else(|_| key.to_owned(), |id| self.name(id))
    }

    /// Tells something that happens within the step.
    pub fn note(&self, note: impl Into<String>) {
        self.scene().notes.push(note.into());
    }

    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.scene().notes)
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.scene().fault = fault;
    }

    /// What goes wrong with the request at hand. A step with a fault lets most of its requests meet it.
    pub fn fault(&self) -> Option<Fault> {
        let fault = self.scene().fault?;
        (self.dice.below(3) > 0).then_some(fault)
    }

    /// A record reaches the broker; the story's words for it.
    pub(crate) fn publishes(&self, record: &Outgoing) -> String {
        let header = |name| record.headers.text(name).unwrap_or_default().to_owned();
        let publication = Publication {
            event_type: header("ce_type"),
            id: header("ce_id"),
            key: record.key.clone(),
            topic: record.topic.clone(),
        };
        let told = format!("{} {}", publication.event_type, self.name_of_key(&record.key));
        self.scene().published.push(Arc::new(publication));
        told
    }

    pub(crate) fn published(&self) -> Vec<Arc<Publication>> {
        self.scene().published.clone()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.note_time();
    }

    /// The clock shows another time; no time passes.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
        self.note_time();
    }

    fn note_time(&self) {
        let now = self.clock.now();
        let mut scene = self.scene();
        scene.latest = scene.latest.max(now);
    }

    pub(crate) fn begin(&self) -> Timestamp {
        self.begin
    }

    pub(crate) fn latest(&self) -> Timestamp {
        self.scene().latest
    }

    /// The most that any clock has shown since the beginning.
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
