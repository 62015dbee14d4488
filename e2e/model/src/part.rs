//! A service's part in one order's life. Each reaction is called once per row and cue, and its result is
//! remembered. Reactions are pure, so this changes nothing; millions of states share a few hundred results.

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
    interner::Interner,
    script::{Request, Script, When},
};

/// The number of the absent row, in every service.
pub(crate) const ABSENT: u16 = 0;

/// The order service's deadlines. Their indices are their numbers.
pub(crate) const ALARMS: [&str; 3] = [FIRST_DEADLINE, "second_deadline", "payment_deadline"];
pub(crate) const FIRST_DEADLINE: &str = "first_deadline";

/// A service's reaction function: its own, or one with which a test replaces it.
pub type React<P> = fn(&mut <P as Participant>::World, &Input<P>, &mut Reaction<P>);

/// An input of a service, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cue {
    /// An event.
    Event(u16),
    /// A request of a customer or an operator.
    Wish(u16),
    /// The outside world's answer to one of its requests.
    Answer { request: u16, answer: u16 },
    /// An alarm.
    Ring(u16),
}

/// The result of a reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The service's row of the order afterwards.
    pub(crate) row: u16,
    /// The product afterwards.
    pub(crate) product: u16,
    /// The deliveries of the events that it publishes.
    pub(crate) published: When,
    /// The requests that it makes to the outside world.
    pub(crate) requested: When,
    /// The alarms that it sets.
    pub(crate) set: Vec<u16>,
    /// The alarms that it clears.
    pub(crate) cleared: Vec<u16>,
}

/// A service's part, without the type of the service.
pub(crate) trait Part: Send + Sync {
    /// The result of the reaction to a cue with these rows.
    fn play(&self, row: u16, product: u16, cue: Cue) -> Arc<Step>;
    /// How many kinds of requests customers and operators may make.
    fn wishes(&self) -> u16;
    /// How many answers are possible to this request.
    fn answers(&self, request: u16) -> u16;
    /// The name of this request.
    fn name(&self, request: u16) -> String;
    /// Whether this answer is an operator's report that the request never arrived, not an answer of the provider.
    fn is_reported(&self, request: u16, answer: u16) -> bool;
    /// This answer to this request, in words.
    fn answer(&self, request: u16, answer: u16) -> String;
    /// The ledger's entry after this answer.
    fn entry(&self, request: u16, answer: u16) -> Option<Arc<Entry>>;
    /// The row with this number, in the auditor's type.
    fn row(&self, number: u16) -> Option<Arc<audit::Row>>;
}

/// The part of one service.
pub(crate) struct ServicePart<P: Described> {
    service: Publisher,
    script: Arc<Script>,
    products: Arc<Interner<Product>>,
    react: React<P>,
    rows: Interner<Option<P::Row>>,
    listed: RwLock<HashMap<u16, Arc<audit::Row>>>,
    requests: Interner<Arc<Answerable<P::Effect, P::Outcome>>>,
    played: RwLock<HashMap<(u16, u16, Cue), Arc<Step>>>,
}

/// A request, its possible answers, and the ledger's entry after each.
#[derive(Debug)]
struct Answerable<E, O> {
    effect: E,
    answers: Vec<(O, Option<Arc<Entry>>)>,
}

impl<P: Described> ServicePart<P> {
    pub(crate) fn new(
        service: Publisher,
        script: &Arc<Script>,
        products: &Arc<Interner<Product>>,
        react: React<P>,
    ) -> Self {
        let rows = Interner::default();
        rows.number(None);
        Self {
            service,
            script: Arc::clone(script),
            products: Arc::clone(products),
            react,
            rows,
            listed: RwLock::default(),
            requests: Interner::default(),
            played: RwLock::default(),
        }
    }

    /// The number of a row with which a story begins.
    pub(crate) fn begin(&self, row: P::Row) -> u16 {
        self.rows.number(Some(P::canonical(row)))
    }

    /// The cause and content of the input that a cue stands for.
    fn what(&self, cue: Cue) -> (Uuid, What<P>) {
        let order = self.script.order;
        match cue {
            Cue::Event(number) => {
                let published = self.script.event(number);
                (published.id.into(), What::Event(published.event.clone()))
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
            published: self.published(&out),
            requested: self.requested(&out),
            set: alarms(out.alarms_set().collect()),
            cleared: alarms(out.alarms_cleared().collect()),
        }
    }

    fn published(&self, out: &Reaction<P>) -> When {
        let mut published = When::default();
        for (id, event) in out.emitted() {
            self.script.publish(id, event, &mut published);
        }
        published
    }

    fn requested(&self, out: &Reaction<P>) -> When {
        let mut requested = When::default();
        for effect in out.effects() {
            let provided = P::outcomes(effect).len();
            let answers = outcomes::<P>(effect).into_iter().enumerate();
            let answers = answers.map(|(nth, outcome)| {
                // The provider's ledger has no entry for a request that never arrived.
                let entry = (nth < provided).then(|| P::entry(effect, &outcome)).flatten();
                (outcome, entry.map(Arc::new))
            });
            let answers = answers.collect();
            let number =
                self.requests.number(Arc::new(Answerable { effect: effect.clone(), answers }));
            self.script.request_made(Request { by: self.service, number }, &mut requested);
        }
        requested
    }
}

impl<P: Described> Part for ServicePart<P> {
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
        u16::try_from(P::wishes(self.script.order).len()).expect("few answers")
    }

    fn answers(&self, request: u16) -> u16 {
        u16::try_from(self.requests.get(request).answers.len()).expect("few answers")
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

/// The possible outcomes of a request: the provider's answers, and last the report of an operator that the request
/// never arrived.
fn outcomes<P: Described>(effect: &P::Effect) -> Vec<P::Outcome> {
    let never_arrived =
        Resolution { outcome: Resolution::NEVER_ARRIVED.to_owned(), reference: None, reason: None };
    let mut outcomes = P::outcomes(effect);
    outcomes.extend(P::resolve(effect, &never_arrived));
    outcomes
}

/// A row in the form in which its service lists it for the auditor.
fn list<R: Record + serde::Serialize>(row: R) -> audit::Row {
    let mut listed = serde_json::to_value(row).expect("a row is plain JSON");
    listed["table"] = R::TABLE.name.into();
    serde_json::from_value(listed).expect("a row that the auditor can read")
}

pub(crate) fn alarm_number(name: &str) -> Option<u16> {
    let number = ALARMS.iter().position(|alarm| *alarm == name)?;
    u16::try_from(number).ok()
}
