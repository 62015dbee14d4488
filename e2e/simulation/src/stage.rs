//! What all share who take part in a run: the clock, the dice, the names in the story, and what has
//! gone wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bus::Outgoing;
use clock::{Clock, ManualClock, Random, SeededRandom};
use jiff::Timestamp;
use uuid::Uuid;

use crate::schedule::Trouble;

/// When every run begins.
const BEGIN: i64 = 1_767_225_600;

/// See the module.
pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) dice: Dice,
    scene: Mutex<Scene>,
}

#[derive(Default)]
struct Scene {
    /// What orders and commands are called in the story.
    names: BTreeMap<Uuid, String>,
    /// What the step under way has to tell.
    notes: Vec<String>,
    trouble: Option<Trouble>,
    /// How each order ended, by the events that said so.
    ends: BTreeMap<String, BTreeSet<String>>,
    /// The first thing that may never be.
    wrong: Option<String>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let begin = Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let (clock, dice) = (ManualClock::new(begin), Dice::new(0));
        Self { clock, dice, scene: Mutex::default() }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls something by a name from now on.
    pub(crate) fn call(&self, id: Uuid, name: impl Into<String>) {
        self.scene().names.insert(id, name.into());
    }

    /// What something is called.
    pub(crate) fn name(&self, id: Uuid) -> String {
        self.scene().names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Tells something that happens within the step.
    pub(crate) fn note(&self, note: String) {
        self.scene().notes.push(note);
    }

    /// What happened within the step.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.scene().notes)
    }

    pub(crate) fn set_trouble(&self, trouble: Option<Trouble>) {
        self.scene().trouble = trouble;
    }

    /// What goes wrong with the request at hand: where there is trouble, it meets most of them.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let trouble = self.scene().trouble?;
        (self.dice.below(3) > 0).then_some(trouble)
    }

    /// Something is as it may never be.
    pub(crate) fn wrong(&self, what: impl Into<String>) {
        self.scene().wrong.get_or_insert(what.into());
    }

    pub(crate) fn take_wrong(&self) -> Option<String> {
        self.scene().wrong.take()
    }

    /// A record that reaches the broker, as the story calls it.
    pub(crate) fn published(&self, record: &Outgoing) -> String {
        let header = |name| record.headers.text(name).unwrap_or_default();
        let (event, id) = (header("ce_type"), header("ce_id"));
        let name = match record.key.parse() {
            Ok(order) => self.name(order),
            Err(_) => record.key.clone(),
        };
        if let "OrderCompleted" | "OrderCancelled" = event {
            let mut scene = self.scene();
            let ends = scene.ends.entry(record.key.clone()).or_default();
            ends.insert(format!("{event} {id}"));
            if ends.len() > 1 {
                scene.wrong.get_or_insert(format!("1: order {name} has ended twice"));
            }
        }
        format!("{event} {name}")
    }
}

/// Chance, begun anew with each step.
pub(crate) struct Dice(Mutex<SeededRandom>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(SeededRandom::new(seed)))
    }

    pub(crate) fn begin(&self, seed: u64) {
        *self.random() = SeededRandom::new(seed);
    }

    fn random(&self) -> MutexGuard<'_, SeededRandom> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number below `n`; 0 if there is none.
    pub(crate) fn index(&self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    pub(crate) fn uuid(&self) -> Uuid {
        Uuid::from_bytes(self.bytes())
    }
}

impl Random for Dice {
    fn bytes(&self) -> [u8; 16] {
        self.random().bytes()
    }

    fn below(&self, n: u64) -> u64 {
        self.random().below(n)
    }
}

impl Random for Stage {
    fn bytes(&self) -> [u8; 16] {
        self.dice.bytes()
    }

    fn below(&self, n: u64) -> u64 {
        self.dice.below(n)
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn steady(&self) -> Duration {
        self.clock.steady()
    }
}
