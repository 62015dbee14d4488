use crate::Publisher;

use crate::{
    bits::Bits,
    part::{ABSENT, Step},
    script::When,
};

/// The state of all orders and of the only product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) product: u16,
    pub(crate) lives: Vec<Life>,
    /// The round of a restored service: 0 before the loss, 1 while it receives its first topics again, 2 while it
    /// receives all.
    pub(crate) round: u8,
}

/// The state of one order: each service's row, and everything that is pending. All of it by numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Life {
    rows: [u16; 5],
    /// Deliveries that may arrive at any time.
    pub(crate) flying: Bits,
    /// Deliveries that have arrived. Each may arrive again.
    pub(crate) arrived: Bits,
    /// Requests without an answer.
    pub(crate) waiting: Bits,
    /// The answers on which the outside world has decided.
    pub(crate) answers: Answers,
    /// Alarms that are set.
    pub(crate) alarms: Bits,
}

/// The answer to each request that was carried out, also if the answer was lost. Four bits per request: 0 for none,
/// else the number of the answer plus 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Answers(u64);

/// The bits of one answer.
const WIDTH: u16 = 4;

impl Life {
    /// An order that was just placed.
    pub(crate) fn placed(rows: [u16; 5], published: When, alarms: Bits) -> Self {
        let (nothing, answers) = (Bits::default(), Answers::default());
        let flying = published.all();
        Self { rows, flying, arrived: nothing, waiting: nothing, answers, alarms }
    }

    pub(crate) fn row(&self, service: Publisher) -> u16 {
        self.rows[service as usize]
    }

    /// A service loses its row, and with it the requests that wait for an answer.
    pub(crate) fn forget(&mut self, service: Publisher, requests: Bits) {
        self.rows[service as usize] = ABSENT;
        self.waiting = self.waiting.without(requests);
    }

    /// These deliveries are to arrive again.
    pub(crate) fn rewind(&mut self, deliveries: Bits) {
        self.arrived = self.arrived.without(deliveries);
        self.flying = self.flying.or(deliveries);
    }

    /// The deliveries of all events that were published.
    pub(crate) fn published(&self) -> Bits {
        self.flying.or(self.arrived)
    }

    /// Applies the result of a service's reaction.
    pub(crate) fn follow(&mut self, service: Publisher, step: &Step) {
        self.rows[service as usize] = step.row;
        // A delivery that has arrived is not added again: the property about repeated events covers it in every state.
        self.flying = self.flying.or(step.published.all().without(self.arrived));
        self.waiting = self.waiting.or(step.requested.all());
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
    /// If the number of the request is 16 or more.
    pub(crate) fn set(&mut self, request: u16, answer: u16) {
        let shifted = (u64::from(answer) + 1).checked_shl((request * WIDTH).into());
        self.0 |= shifted.expect("no more than 16 requests");
    }

    /// All answered requests and their answers.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u16, u16)> {
        let most = u16::try_from(u64::BITS).unwrap_or(0) / WIDTH;
        (0..most).filter_map(move |request| Some((request, self.get(request)?)))
    }
}
