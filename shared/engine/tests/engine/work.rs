//! Short constructors of inputs.

use bus::Incoming;
use event::{EventId, Headers, Trace, Versions, derived, encode};
use jiff::Timestamp;
use quintet_engine::{Effect, IdempotencyKey, Input, Origin, What, Work};
use testkit::toy::{AddOne, ArmBell, AskOnce, DisarmBell, Noted, TallyId, ToyEvent};
use uuid::Uuid;

use crate::toy::{Add, Ask, Toy};

pub type Works = Work<Toy>;

pub fn tally(number: u128) -> TallyId {
    // The ids differ in the first 48 bits, as those of tallies of different times do.
    Uuid::from_u128(number << 80 | number).into()
}

pub fn event_id(number: u128) -> EventId {
    Uuid::from_u128(number).into()
}

fn work(cause: Uuid, what: What<Toy>, origin: Origin) -> Works {
    let input = Input { cause, at: Timestamp::UNIX_EPOCH, trace: Trace::default(), what };
    Work { input, origin }
}

/// The event of this number, at the offset of the same number.
pub fn event(number: u128, event: impl Into<ToyEvent>) -> Works {
    let event = event.into();
    let record = record(number, &event);
    work(event_id(number).into(), What::Event(event), Origin::Event(record))
}

/// The record of this event, at the offset of the same number.
pub fn record(number: u128, event: &ToyEvent) -> Incoming {
    let (at, versions) = (Timestamp::UNIX_EPOCH, Versions::default());
    let encoded = encode(event_id(number), "/test", at, &Trace::default(), event, &versions);
    Incoming {
        topic: "sums".into(),
        partition: 0,
        offset: i64::try_from(number).unwrap(),
        key: encoded.key.into_bytes(),
        headers: encoded.headers,
        value: encoded.value.get().into(),
    }
}

/// The headers with this value under `name`.
pub fn replaced(headers: &Headers, name: &str, value: &str) -> Headers {
    let header = |(found, old)| (found, if found == name { value.as_bytes() } else { old });
    headers.iter().map(header).collect()
}

/// Adds one to the count, and emits one event.
pub fn add(number: u128, tally_id: TallyId) -> Works {
    event(number, AddOne { tally_id })
}

/// Requests an effect.
pub fn ask(number: u128, tally_id: TallyId) -> Works {
    event(number, AskOnce { tally_id })
}

/// Sets the alarm.
pub fn arm(number: u128, tally_id: TallyId) -> Works {
    event(number, ArmBell { tally_id })
}

/// Clears the alarm.
pub fn disarm(number: u128, tally_id: TallyId) -> Works {
    event(number, DisarmBell { tally_id })
}

/// Makes the toy do what `what` says.
pub fn tell(number: u128, tally_id: TallyId, what: &str) -> Works {
    event(number, Noted { tally_id, what: what.into() })
}

pub fn command(number: u128, tally_id: TallyId, by: i64) -> Works {
    work(Uuid::from_u128(number), What::Command(Add { tally_id, by }), Origin::Command(None))
}

/// A command under an idempotency key; `by` is all of its body.
pub fn keyed(number: u128, tally_id: TallyId, by: i64, name: &str) -> Works {
    Work { origin: Origin::Command(Some(key(name, by))), ..command(number, tally_id, by) }
}

pub fn key(name: &str, by: i64) -> IdempotencyKey {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&by.to_be_bytes());
    IdempotencyKey { key: name.into(), hash, sent: hash.map(|byte| !byte) }
}

/// The answer to the tally's question.
pub fn outcome(tally_id: TallyId, number: i64) -> Works {
    work(Ask(tally_id).id().into(), What::Outcome(tally_id, number), Origin::Outcome)
}

/// The tally's alarm that rings.
pub fn ring(tally_id: TallyId) -> Works {
    let id = derived(tally_id.into(), tally_id.into(), "ring", 1);
    work(id, What::Alarm(tally_id, crate::toy::Bell::Ring), Origin::Alarm)
}
