use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::Publisher;
use event::Contract as _;
use inventory::Product;
use stateright::{Model, Property};

use crate::{
    Entry, Freedom, Reactions, Restored, Scenario, State,
    cast::{Cast, product},
    known::Known,
    properties,
    script::{Delivery, SERVICES},
    stage::{Cue, Part, Step},
    state::Life,
};

/// All that can happen in a scenario.
pub struct Saga {
    pub(crate) scenario: Scenario,
    pub(crate) casts: Vec<Cast>,
    pub(crate) products: Arc<Known<Product>>,
    /// The invariants that the auditor saw broken, of each state at rest.
    pub(crate) verdicts: Mutex<HashMap<State, u8>>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// To which order.
    pub(crate) order: usize,
    pub(crate) what: Deed,
}

/// What happens. Numbers are those of the order's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A delivery comes.
    Hear(u16),
    /// People ask for something.
    Wish(Publisher, u16),
    /// An alarm rings.
    Ring(u16),
    /// The outside world does what it was asked, and its answer comes.
    Answer(u16, u16),
    /// It does so, and its answer is lost.
    Lose(u16, u16),
    /// The restored service's database is lost, and it hears again what it hears first.
    Forget,
    /// It has come to rest, and hears again the others too.
    Rewind,
}

impl Saga {
    /// The scenario, played by these reactions.
    #[must_use]
    pub fn new(scenario: Scenario, reactions: &Reactions) -> Self {
        let products = Arc::new(Known::default());
        let casts = (0..scenario.orders)
            .map(|nth| Cast::new(nth, &scenario, &products, reactions))
            .collect();
        products.number(product(scenario.stock));
        Self { scenario, casts, products, verdicts: Mutex::default() }
    }

    pub(crate) fn lives<'a>(
        &'a self,
        state: &'a State,
    ) -> impl Iterator<Item = (&'a Cast, &'a Life)> {
        self.casts.iter().zip(&state.lives)
    }

    fn happen(&self, state: &mut State, Action { order, what }: Action) {
        match what {
            Deed::Hear(delivery) => self.hear(state, order, delivery),
            Deed::Wish(service, nth) => self.play(state, order, service, Cue::Wish(nth)),
            Deed::Ring(alarm) => {
                state.lives[order].alarms.remove(alarm);
                self.play(state, order, Publisher::Order, Cue::Ring(alarm));
            }
            Deed::Answer(request, answer) => self.answer(state, order, request, answer),
            Deed::Lose(request, answer) => state.lives[order].answers.set(request, answer),
            Deed::Forget => {
                self.forget(state);
                self.rewind(state);
            }
            Deed::Rewind => self.rewind(state),
        }
    }

    fn forget(&self, state: &mut State) {
        let Some(Restored { service, .. }) = self.scenario.restored else { return };
        for (cast, life) in self.casts.iter().zip(&mut state.lives) {
            let own = |request: &u16| cast.script.request(*request).by == service;
            life.forget(service, life.waiting.iter().filter(own).collect());
        }
        if service == Publisher::Inventory {
            state.product = self.products.number(product(self.scenario.stock));
        }
    }

    /// Until it rests, a restored service hears nothing but what it hears first.
    fn is_held(&self, state: &State, cast: &Cast, delivery: u16) -> bool {
        let Some(restored) = self.scenario.restored.filter(|_| state.round == 1) else {
            return false;
        };
        let Delivery { event, to } = cast.script.delivery(delivery);
        let kind = cast.script.event(event).event.event_type();
        to == restored.service && !restored.comes(kind, state.round)
    }

    /// Nothing is under way but what is held.
    fn is_ready(&self, state: &State) -> bool {
        self.lives(state).all(|(cast, life)| {
            let mut flying = life.flying.iter();
            life.waiting.is_empty() && flying.all(|delivery| self.is_held(state, cast, delivery))
        })
    }

    /// The restored service hears again what it hears again in this round.
    fn rewind(&self, state: &mut State) {
        let Some(restored) = self.scenario.restored else { return };
        state.round += if restored.first.is_empty() { 2 } else { 1 };
        for (cast, life) in self.casts.iter().zip(&mut state.lives) {
            let again = |number: &u16| {
                let Delivery { event, to } = cast.script.delivery(*number);
                let kind = cast.script.event(event).event.event_type();
                to == restored.service && restored.comes(kind, state.round)
            };
            life.rewind(life.arrived.iter().filter(again).collect());
        }
    }

    fn hear(&self, state: &mut State, order: usize, number: u16) {
        let life = &mut state.lives[order];
        life.flying.remove(number);
        life.arrived.insert(number);
        let delivery = self.casts[order].script.delivery(number);
        self.play(state, order, delivery.to, Cue::Event(delivery.event));
    }

    fn answer(&self, state: &mut State, order: usize, request: u16, answer: u16) {
        let life = &mut state.lives[order];
        life.waiting.remove(request);
        life.answers.set(request, answer);
        let request = self.casts[order].script.request(request);
        self.play(state, order, request.by, Cue::Answer { request: request.number, answer });
    }

    /// A service reacts, and what happens at once happens.
    fn play(&self, state: &mut State, order: usize, service: Publisher, cue: Cue) {
        let step = self.step(state, order, service, cue);
        state.product = step.product;
        let life = &mut state.lives[order];
        let heard = step.said.now.without(life.arrived);
        life.follow(service, &step);
        for delivery in heard.iter() {
            self.hear(state, order, delivery);
        }
        for request in step.asked.now.iter() {
            self.answer(state, order, request, 0);
        }
    }

    /// How a service would react.
    pub(crate) fn step(
        &self,
        state: &State,
        order: usize,
        service: Publisher,
        cue: Cue,
    ) -> Arc<Step> {
        let row = state.lives[order].row(service);
        self.casts[order].part(service).play(row, state.product, cue)
    }

    /// What a request may be answered with: what it was answered with before, if it was.
    fn answers(&self, cast: &Cast, life: &Life, number: u16) -> impl Iterator<Item = u16> {
        let request = cast.script.request(number);
        let part = cast.part(request.by);
        let known = life.answers.get(number);
        let spent = refusals(cast, life) >= self.scenario.refusals;
        let held = self.scenario.has(Freedom::Held);
        (0..part.answers(request.number)).filter(move |answer| match known {
            Some(known) => known == *answer,
            None if !held && part.is_reported(request.number, *answer) => false,
            None => !(spent && is_refusal(part, request.number, *answer)),
        })
    }

    fn answered(&self, order: usize, cast: &Cast, life: &Life, actions: &mut Vec<Action>) {
        for request in life.waiting.iter() {
            for answer in self.answers(cast, life, request) {
                actions.push(Action { order, what: Deed::Answer(request, answer) });
                let asked = cast.script.request(request);
                let reported = cast.part(asked.by).is_reported(asked.number, answer);
                let loses = self.scenario.has(Freedom::LostAnswers) && !reported;
                if loses && life.answers.get(request).is_none() {
                    actions.push(Action { order, what: Deed::Lose(request, answer) });
                }
            }
        }
    }
}

/// How often the gateway has refused a refund.
fn refusals(cast: &Cast, life: &Life) -> usize {
    let answers = life.answers.iter().filter(|(number, answer)| {
        let request = cast.script.request(*number);
        is_refusal(cast.part(request.by), request.number, *answer)
    });
    answers.count()
}

fn is_refusal(part: &dyn Part, request: u16, answer: u16) -> bool {
    let refused = audit::RefundStatus::Refused;
    let entry = part.entry(request, answer);
    // To payment, a refund that never arrived is one that was refused.
    let never_arrived =
        part.is_reported(request, answer) && part.name(request).starts_with("refund");
    never_arrived
        || matches!(entry.as_deref(), Some(Entry::Refund(entry)) if entry.status == refused)
}

impl Model for Saga {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let lives = self.casts.iter().map(|cast| cast.beginning.clone()).collect();
        let product = self.products.number(product(self.scenario.stock));
        vec![State { product, lives, round: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (order, (cast, life)) in self.lives(state).enumerate() {
            let mut may = |what| actions.push(Action { order, what });
            let heard = life.flying.iter().filter(|delivery| !self.is_held(state, cast, *delivery));
            heard.map(Deed::Hear).for_each(&mut may);
            for (service, _) in SERVICES {
                let all = service != Publisher::Order || self.scenario.has(Freedom::Cancellations);
                let wishes = 0..if all { cast.part(service).wishes() } else { 0 };
                wishes.map(|nth| Deed::Wish(service, nth)).for_each(&mut may);
            }
            if self.scenario.has(Freedom::Deadlines) {
                life.alarms.iter().map(Deed::Ring).for_each(&mut may);
            }
            self.answered(order, cast, life, actions);
        }
        if self.scenario.restored.is_some() {
            match state.round {
                0 => actions.push(Action { order: 0, what: Deed::Forget }),
                1 if self.is_ready(state) => actions.push(Action { order: 0, what: Deed::Rewind }),
                _ => {}
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.happen(&mut state, action);
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.scenario)
    }
}
