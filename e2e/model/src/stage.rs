//! A service's part in one order's life: its own reactions, each asked once and then remembered. They
//! are pure, so nothing is lost by that; and millions of states share a few hundred reactions.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::Publisher;
use engine::{Effect, Input, Participant, Reaction, Resolution, What};
use event::{Trace, derived};
use inventory::Product;
use jiff::Timestamp;
use store::{Record, Rows};
use uuid::Uuid;

use saga::Described;

use crate::{
    Entry,
    known::Known,
    script::{Request, Script, When},
};

/// The row that is not there, in every service.
pub(crate) const ABSENT: u16 = 0;

/// Order's deadlines, by their numbers.
pub(crate) const ALARMS: [&str; 3] = [FIRST_DEADLINE, "second_deadline", "payment_deadline"];
pub(crate) const FIRST_DEADLINE: &str = "first_deadline";

/// A service's reactions: its own, or what a test puts in their place.
pub type React<P> = fn(&mut <P as Participant>::World, &Input<P>, &mut Reaction<P>);

/// What a service reacts to, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cue {
    /// An event.
    Event(u16),
    /// What people ask of it.
    Wish(u16),
    /// The outside world's answer to one of its requests.
    Answer { request: u16, answer: u16 },
    /// An alarm.
    Ring(u16),
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it knows of the order now.
    pub(crate) row: u16,
    /// How the product stands now.
    pub(crate) product: u16,
    /// Whom its events go to.
    pub(crate) said: When,
    /// What it asks of the outside world.
    pub(crate) asked: When,
    /// The alarms that it sets.
    pub(crate) set: Vec<u16>,
    /// The alarms that it clears.
    pub(crate) cleared: Vec<u16>,
}

/// A service's part, whichever service it is.
pub(crate) trait Part: Send + Sync {
    /// What follows from a cue, where these are the rows.
    fn play(&self, row: u16, product: u16, cue: Cue) -> Arc<Step>;
    /// How many things people may ask of it.
    fn wishes(&self) -> u16;
    /// How many answers there are to this request.
    fn answers(&self, request: u16) -> u16;
    /// This request's name.
    fn name(&self, request: u16) -> String;
    /// Whether this is no answer of the provider, but what an operator reports of a request that never arrived.
    fn is_reported(&self, request: u16, answer: u16) -> bool;
    /// An answer to it, in words.
    fn answer(&self, request: u16, answer: u16) -> String;
    /// What the ledger says after this answer.
    fn entry(&self, request: u16, answer: u16) -> Option<Arc<Entry>>;
    /// The row of this number, as the auditor reads it.
    fn row(&self, number: u16) -> Option<Arc<audit::Row>>;
}

/// Where one service plays its part.
pub(crate) struct Stage<P: Described> {
    service: Publisher,
    script: Arc<Script>,
    products: Arc<Known<Product>>,
    react: React<P>,
    rows: Known<Option<P::Row>>,
    listed: RwLock<HashMap<u16, Arc<audit::Row>>>,
    requests: Known<Arc<Asked<P::Effect, P::Outcome>>>,
    played: RwLock<HashMap<(u16, u16, Cue), Arc<Step>>>,
}

/// A request, the answers that it may get, and what the ledger says after each.
#[derive(Debug)]
struct Asked<E, O> {
    effect: E,
    answers: Vec<(O, Option<Arc<Entry>>)>,
}

impl<P: Described> Stage<P> {
    pub(crate) fn new(
        service: Publisher,
        script: &Arc<Script>,
        products: &Arc<Known<Product>>,
        react: React<P>,
    ) -> Self {
        let rows = Known::default();
        rows.number(None);
        Self {
            service,
            script: Arc::clone(script),
            products: Arc::clone(products),
            react,
            rows,
            listed: RwLock::default(),
            requests: Known::default(),
            played: RwLock::default(),
        }
    }

    /// The number of a row, for a story that begins with it.
    pub(crate) fn begin(&self, row: P::Row) -> u16 {
        self.rows.number(Some(P::canonical(row)))
    }

    fn what(&self, cue: Cue) -> (Uuid, What<P>) {
        let order = self.script.order;
        match cue {
            Cue::Event(number) => {
                let said = self.script.event(number);
                (said.id.into(), What::Event(said.event.clone()))
            }
            Cue::Wish(nth) => {
                let cause = derived(order.into(), order.into(), "wish", nth.into());
                (cause, What::Command(P::wishes(order).swap_remove(nth.into())))
            }
            Cue::Answer { request, answer } => {
                let effect = &self.requests.get(request).effect;
                let outcome = outcomes::<P>(effect).swap_remove(answer.into());
                (effect.id().into(), What::Outcome(order, outcome))
            }
            Cue::Ring(alarm) => {
                let name = ALARMS[usize::from(alarm)];
                let Ok(alarm) = name.parse() else { unreachable!("only order has alarms") };
                (derived(order.into(), order.into(), name, 1), What::Alarm(order, alarm))
            }
        }
    }

    fn react(&self, row: u16, product: u16, cue: Cue) -> Step {
        let order = self.script.order;
        let mut rows = Rows::absent([order]);
        if let Some(row) = self.rows.get(row) {
            rows.put(row);
        }
        let before = self.products.get(product);
        let mut world = P::world(rows, &before);
        let (cause, what) = self.what(cue);
        let input = Input { cause, at: Timestamp::UNIX_EPOCH, trace: Trace::default(), what };
        let mut out = Reaction::new(cause, Timestamp::UNIX_EPOCH);
        (self.react)(&mut world, &input, &mut out);
        let row = P::rows(&world).get(&order).cloned().map(P::canonical);
        let product = P::shared(&world).map_or(product, |after| self.products.number(after));
        let alarms = |names: Vec<P::Alarm>| {
            let names = names.into_iter().map(Into::<&'static str>::into);
            names.filter_map(alarm_number).collect()
        };
        Step {
            row: self.rows.number(row),
            product,
            said: self.said(&out),
            asked: self.asked(&out),
            set: alarms(out.alarms_set().collect()),
            cleared: alarms(out.alarms_cleared().collect()),
        }
    }

    fn said(&self, out: &Reaction<P>) -> When {
        let mut said = When::default();
        for (id, event) in out.emitted() {
            self.script.say(id, event, &mut said);
        }
        said
    }

    fn asked(&self, out: &Reaction<P>) -> When {
        let mut asked = When::default();
        for effect in out.effects() {
            let provided = P::outcomes(effect).len();
            let answers = outcomes::<P>(effect).into_iter().enumerate();
            let answers = answers.map(|(nth, outcome)| {
                // The provider's ledger has no entry of what never arrived.
                let entry = (nth < provided).then(|| P::entry(effect, &outcome)).flatten();
                (outcome, entry.map(Arc::new))
            });
            let answers = answers.collect();
            let number = self.requests.number(Arc::new(Asked { effect: effect.clone(), answers }));
            self.script.ask(Request { by: self.service, number }, &mut asked);
        }
        asked
    }
}

impl<P: Described> Part for Stage<P> {
    fn play(&self, row: u16, product: u16, cue: Cue) -> Arc<Step> {
        let played = self.played.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = played.get(&(row, product, cue)) {
            return Arc::clone(step);
        }
        drop(played);
        let step = Arc::new(self.react(row, product, cue));
        let mut played = self.played.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(played.entry((row, product, cue)).or_insert(step))
    }

    fn wishes(&self) -> u16 {
        u16::try_from(P::wishes(self.script.order).len()).expect("a handful")
    }

    fn answers(&self, request: u16) -> u16 {
        u16::try_from(self.requests.get(request).answers.len()).expect("a handful")
    }

    fn name(&self, request: u16) -> String {
        self.requests.get(request).effect.name()
    }

    fn is_reported(&self, request: u16, answer: u16) -> bool {
        let effect = &self.requests.get(request).effect;
        usize::from(answer) >= P::outcomes(effect).len()
    }

    fn answer(&self, request: u16, answer: u16) -> String {
        format!("{:?}", self.requests.get(request).answers[usize::from(answer)].0)
    }

    fn entry(&self, request: u16, answer: u16) -> Option<Arc<Entry>> {
        self.requests.get(request).answers[usize::from(answer)].1.clone()
    }

    fn row(&self, number: u16) -> Option<Arc<audit::Row>> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = listed.get(&number) {
            return Some(Arc::clone(row));
        }
        drop(listed);
        let row = Arc::new(list(self.rows.get(number)?));
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(listed.entry(number).or_insert(row)))
    }
}

/// What may come of a request: the provider's answers, then what an operator reports if it never arrived and the
/// provider refuses it from now on.
fn outcomes<P: Described>(effect: &P::Effect) -> Vec<P::Outcome> {
    let never_arrived =
        Resolution { outcome: Resolution::NEVER_ARRIVED.to_owned(), reference: None, reason: None };
    let mut outcomes = P::outcomes(effect);
    outcomes.extend(P::resolve(effect, &never_arrived));
    outcomes
}

/// A row as its service lists it for the auditor.
fn list<R: Record + serde::Serialize>(row: R) -> audit::Row {
    let mut listed = serde_json::to_value(row).expect("a row is plain JSON");
    listed["table"] = R::TABLE.name.into();
    serde_json::from_value(listed).expect("the auditor reads it")
}

pub(crate) fn alarm_number(name: &str) -> Option<u16> {
    let number = ALARMS.iter().position(|known| *known == name)?;
    u16::try_from(number).ok()
}
