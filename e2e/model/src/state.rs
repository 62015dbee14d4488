use crate::Publisher;

use crate::{
    bits::Bits,
    script::When,
    stage::{ABSENT, Step},
};

/// Where all orders stand, and the one product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) product: u16,
    pub(crate) lives: Vec<Life>,
    /// How often a restored service was made to hear again what it had heard.
    pub(crate) round: u8,
}

/// Where one order stands: what each service knows of it, and what is under way. All by numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Life {
    rows: [u16; 5],
    /// Deliveries that may come at any time.
    pub(crate) flying: Bits,
    /// Deliveries that have come. Each may come again.
    pub(crate) arrived: Bits,
    /// Requests without an answer.
    pub(crate) waiting: Bits,
    /// What the outside world has decided.
    pub(crate) answers: Answers,
    /// Alarms that are set.
    pub(crate) alarms: Bits,
}

/// The answer to each request that was answered, also where nobody has heard it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Answers(u64);

/// Bits for one answer.
const WIDTH: u16 = 4;

impl Life {
    /// An order that was just placed.
    pub(crate) fn placed(rows: [u16; 5], said: When, alarms: Bits) -> Self {
        let (nothing, answers) = (Bits::default(), Answers::default());
        let flying = said.later.or(said.now);
        Self { rows, flying, arrived: nothing, waiting: nothing, answers, alarms }
    }

    pub(crate) fn row(&self, service: Publisher) -> u16 {
        self.rows[service as usize]
    }

    /// A service knows nothing of the order any more, and waits for no answer.
    pub(crate) fn forget(&mut self, service: Publisher, requests: Bits) {
        self.rows[service as usize] = ABSENT;
        self.waiting = self.waiting.without(requests);
    }

    /// These come again.
    pub(crate) fn rewind(&mut self, deliveries: Bits) {
        self.arrived = self.arrived.without(deliveries);
        self.flying = self.flying.or(deliveries);
    }

    /// Everything that was ever said, to whom.
    pub(crate) fn said(&self) -> Bits {
        self.flying.or(self.arrived)
    }

    /// What a service's step changes at once.
    pub(crate) fn follow(&mut self, service: Publisher, step: &Step) {
        self.rows[service as usize] = step.row;
        let said = step.said.later.or(step.said.now);
        // Whoever heard it before may hear it again; that is looked at in every state anyway.
        self.flying = self.flying.or(said.without(self.arrived));
        self.waiting = self.waiting.or(step.asked.later).or(step.asked.now);
        for alarm in &step.cleared {
            self.alarms.remove(*alarm);
        }
        for alarm in &step.set {
            self.alarms.insert(*alarm);
        }
    }
}

impl Answers {
    /// The answer to this request, if there is one.
    pub(crate) fn get(self, request: u16) -> Option<u16> {
        let answer = (self.0 >> (request * WIDTH)) & ((1 << WIDTH) - 1);
        u16::try_from(answer).ok()?.checked_sub(1)
    }

    /// # Panics
    /// If there are more requests than a life has.
    pub(crate) fn set(&mut self, request: u16, answer: u16) {
        let shifted = (u64::from(answer) + 1).checked_shl((request * WIDTH).into());
        self.0 |= shifted.expect("no more than 16 requests");
    }

    /// Requests and their answers.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u16, u16)> {
        let most = u16::try_from(u64::BITS).unwrap_or(0) / WIDTH;
        (0..most).filter_map(move |request| Some((request, self.get(request)?)))
    }
}
