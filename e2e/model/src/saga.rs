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
    interner::Interner,
    part::{Cue, Part, Step},
    properties,
    script::{Delivery, Request, SERVICES},
    state::Life,
};

/// The model of a scenario: everything that can happen in it.
pub struct Saga {
    pub(crate) scenario: Scenario,
    pub(crate) casts: Vec<Cast>,
    pub(crate) products: Arc<Interner<Product>>,
    /// For each state at rest that was audited, the invariants that are broken, as bits.
    pub(crate) audit_results: Mutex<HashMap<State, u8>>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The order to which it happens.
    pub(crate) order: usize,
    pub(crate) what: Deed,
}

/// What happens. The numbers are those of the order's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A delivery arrives.
    Hear(u16),
    /// A customer or an operator requests something.
    Wish(Publisher, u16),
    /// An alarm fires.
    Ring(u16),
    /// The outside world carries out a request, and its answer arrives.
    Answer(u16, u16),
    /// The outside world carries out a request, and its answer is lost.
    Lose(u16, u16),
    /// The restored service loses its database and receives the events of its first topics again.
    Forget,
    /// The restored service is at rest and receives the events of the other topics again too.
    Rewind,
}

impl Saga {
    /// The model of a scenario, played by these reactions.
    #[must_use]
    pub fn new(scenario: Scenario, reactions: &Reactions) -> Self {
        let products = Arc::new(Interner::default());
        let casts = (0..scenario.orders)
            .map(|nth| Cast::new(nth, &scenario, &products, reactions))
            .collect();
        products.number(product(scenario.stock));
        Self { scenario, casts, products, audit_results: Mutex::default() }
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

    /// Whether a delivery must wait, because a restored service receives only its first topics until it is at rest.
    fn is_held(&self, state: &State, cast: &Cast, delivery: u16) -> bool {
        let Some(restored) = self.scenario.restored.filter(|_| state.round == 1) else {
            return false;
        };
        let Delivery { event, to } = cast.script.delivery(delivery);
        let event_type = cast.script.event(event).event.event_type();
        to == restored.service && !restored.comes(event_type, state.round)
    }

    /// Whether only deliveries that must wait are pending.
    fn is_ready(&self, state: &State) -> bool {
        self.lives(state).all(|(cast, life)| {
            let mut flying = life.flying.iter();
            life.waiting.is_empty() && flying.all(|delivery| self.is_held(state, cast, delivery))
        })
    }

    /// Begins the next round: the restored service receives the events of the round again.
    fn rewind(&self, state: &mut State) {
        let Some(restored) = self.scenario.restored else { return };
        state.round += if restored.first.is_empty() { 2 } else { 1 };
        for (cast, life) in self.casts.iter().zip(&mut state.lives) {
            let is_repeated = |number: &u16| {
                let Delivery { event, to } = cast.script.delivery(*number);
                let event_type = cast.script.event(event).event.event_type();
                to == restored.service && restored.comes(event_type, state.round)
            };
            life.rewind(life.arrived.iter().filter(is_repeated).collect());
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

    /// A service reacts to a cue. Deliveries and answers that are prompt follow at once.
    fn play(&self, state: &mut State, order: usize, service: Publisher, cue: Cue) {
        let step = self.step(state, order, service, cue);
        state.product = step.product;
        let life = &mut state.lives[order];
        let prompt = step.published.now.without(life.arrived);
        life.follow(service, &step);
        for delivery in prompt.iter() {
            self.hear(state, order, delivery);
        }
        for request in step.requested.now.iter() {
            self.answer(state, order, request, 0);
        }
    }

    /// The reaction of a service to a cue.
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

    /// The possible answers to a request. If it was answered before, only that answer is possible.
    fn answers(&self, cast: &Cast, life: &Life, number: u16) -> impl Iterator<Item = u16> {
        let request = cast.script.request(number);
        let part = cast.part(request.by);
        let earlier = life.answers.get(number);
        let spent = refusals(cast, life) >= self.scenario.refusals;
        let held = self.scenario.has(Freedom::Held);
        (0..part.answers(request.number)).filter(move |answer| match earlier {
            Some(earlier) => earlier == *answer,
            None if !held && part.is_reported(request.number, *answer) => false,
            None => !(spent && is_refusal(part, request.number, *answer)),
        })
    }

    fn answer_actions(&self, order: usize, cast: &Cast, life: &Life, actions: &mut Vec<Action>) {
        for request in life.waiting.iter() {
            for answer in self.answers(cast, life, request) {
                actions.push(Action { order, what: Deed::Answer(request, answer) });
                let Request { by, number } = cast.script.request(request);
                let reported = cast.part(by).is_reported(number, answer);
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
    // The payment service treats a refund that never arrived as a refused one.
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
            let mut add = |what| actions.push(Action { order, what });
            let arriving =
                life.flying.iter().filter(|delivery| !self.is_held(state, cast, *delivery));
            arriving.map(Deed::Hear).for_each(&mut add);
            for (service, _) in SERVICES {
                let all = service != Publisher::Order || self.scenario.has(Freedom::Cancellations);
                let wishes = 0..if all { cast.part(service).wishes() } else { 0 };
                wishes.map(|nth| Deed::Wish(service, nth)).for_each(&mut add);
            }
            if self.scenario.has(Freedom::Deadlines) {
                life.alarms.iter().map(Deed::Ring).for_each(&mut add);
            }
            self.answer_actions(order, cast, life, actions);
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
