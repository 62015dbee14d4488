//! The smallest service that uses everything: a count and a log for each tally.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use event::Contract as _;
use quintet_engine::{Impossible, Input, Participant, Reaction, Resolution, What};
use serde::{Deserialize, Serialize};
use store::{Migrations, Rows, StoreError, Tx};
use testkit::toy::{Added, Answered, Noted, Rang, TallyId, ToyEvent, ToyEventType};
use tokio::sync::Barrier;

/// A tally with at least this count applies inputs that panic otherwise: its bug is fixed.
pub const FIXED: i64 = 100;
/// The first tally whose requests share an isolation key with those of later ones.
pub const CROWD: u128 = 1_000;
/// How long after it was set an alarm rings.
pub const ALARM: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub struct Toy {
    /// How often [`Participant::load`] was called.
    pub loads: Arc<AtomicUsize>,
    /// The next batch waits at this barrier twice after it has loaded its rows.
    pub interruption: Mutex<Option<Arc<Barrier>>>,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the key is called so in the contract")]
pub struct Tally {
    pub tally_id: TallyId,
    pub count: i64,
    /// Everything that happened, in order.
    pub log: String,
}

store::record!(Tally in "tally": tally_id: TallyId, count: i64, log: String);

/// Adds to the count, unless there is nothing to add.
#[derive(Debug, Clone, Copy)]
pub struct Add {
    pub tally_id: TallyId,
    pub by: i64,
}

impl Add {
    pub const PANICS: i64 = 666;
    pub const IS_NOT_ANSWERED: i64 = 667;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Count(i64),
    NothingToAdd,
}

impl quintet_engine::Reply for Reply {
    fn stored(&self) -> Option<String> {
        matches!(self, Self::Count(_)).then(|| serde_json::to_string(self).unwrap())
    }

    fn restored(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }
}

/// A question to the outside world, which answers with a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask(pub TallyId);

impl quintet_engine::Effect<TallyId> for Ask {
    fn aggregate(&self) -> TallyId {
        self.0
    }

    fn name(&self) -> String {
        "ask".into()
    }

    /// The tallies from [`CROWD`] on share a key.
    fn isolation_key(&self) -> String {
        let number = self.0.uuid().as_u128() & 0xffff;
        if number >= CROWD { "crowd".into() } else { number.to_string() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Bell {
    Ring,
}

#[async_trait]
impl Participant for Toy {
    const NAME: &'static str = "toy";
    const CONSUMES: &'static [ToyEventType] = &[
        ToyEventType::AddOne,
        ToyEventType::AskOnce,
        ToyEventType::ArmBell,
        ToyEventType::DisarmBell,
        ToyEventType::Noted,
    ];

    type Contract = ToyEvent;
    type World = Rows<Tally>;
    type Command = Add;
    type Reply = Reply;
    type Effect = Ask;
    type Outcome = i64;
    type Alarm = Bell;

    fn resolve(_: &Ask, resolution: &Resolution) -> Result<i64, Impossible> {
        match resolution.outcome.as_str() {
            "answered" => {
                let number = resolution.reference()?;
                number
                    .parse()
                    .map_err(|_| Impossible { field: "reference", why: "must be a number".into() })
            }
            _ => Err(Impossible::outcome("answered")),
        }
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Rows<Tally>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let tallies = inputs.iter().filter_map(|input| match &input.what {
            What::Command(add) => Some(add.tally_id),
            _ => input.aggregate(),
        });
        let rows = Rows::load(tx, tallies).await?;
        let interruption = self.interruption.lock().unwrap().take();
        if let Some(barrier) = interruption {
            barrier.wait().await;
            barrier.wait().await;
        }
        Ok(rows)
    }

    async fn save(&self, tx: &mut Tx, world: &Rows<Tally>) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn react(world: &mut Rows<Tally>, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Command(add) => command(world, *add, out),
            What::Event(event) => on_event(world, event, out),
            What::Outcome(tally_id, number) => {
                let tally = note(world, *tally_id, &format!("answer {number}"));
                assert!(*number != Add::PANICS || tally.count >= FIXED, "asked to");
                tally.count += number;
                out.emit(Answered { tally_id: *tally_id, answer: number.to_string() });
            }
            What::Alarm(tally_id, Bell::Ring) => {
                let tally = note(world, *tally_id, "ring");
                assert!(!tally.log.contains("jam") || tally.count >= FIXED, "asked to");
                out.emit(Rang { tally_id: *tally_id });
            }
        }
    }
}

fn on_event(world: &mut Rows<Tally>, event: &ToyEvent, out: &mut Reaction<Toy>) {
    let Some(tally_id) = event.aggregate() else { return };
    match event {
        ToyEvent::AddOne(_) => {
            note(world, tally_id, "add").count += 1;
            out.emit(Added { tally_id });
        }
        ToyEvent::AskOnce(_) => {
            note(world, tally_id, "ask");
            out.request(Ask(tally_id));
        }
        ToyEvent::ArmBell(_) => {
            note(world, tally_id, "arm");
            out.set_alarm(tally_id, Bell::Ring, ALARM);
        }
        ToyEvent::DisarmBell(_) => {
            note(world, tally_id, "disarm");
            out.clear_alarm(tally_id, Bell::Ring);
        }
        ToyEvent::Noted(noted) => heed(world, tally_id, &noted.what, out),
        _ => {}
    }
}

fn heed(world: &mut Rows<Tally>, tally_id: TallyId, what: &str, out: &mut Reaction<Toy>) {
    let tally = note(world, tally_id, what);
    match what.split_once(' ') {
        None if what == "panic" => panic!("asked to"),
        None if what == "refuse" => tally.count = -1,
        None if what == "unfixed" => assert!(tally.count >= FIXED, "not fixed"),
        Some(("burst", count)) => {
            for _ in 0..count.parse().unwrap_or(0) {
                out.emit(Added { tally_id });
            }
        }
        Some(("long", bytes)) => {
            let what = "x".repeat(bytes.parse().unwrap_or(0));
            out.emit(Noted { tally_id, what });
        }
        _ => {}
    }
}

fn command(world: &mut Rows<Tally>, Add { tally_id, by }: Add, out: &mut Reaction<Toy>) {
    if by == 0 {
        return out.reply(Reply::NothingToAdd);
    }
    assert!(by != Add::PANICS, "asked to");
    let tally = note(world, tally_id, &format!("command {by}"));
    tally.count += by;
    if by != Add::IS_NOT_ANSWERED {
        out.reply(Reply::Count(tally.count));
    }
    out.emit(Added { tally_id });
}

fn note<'w>(world: &'w mut Rows<Tally>, tally_id: TallyId, what: &str) -> &'w mut Tally {
    if world.get(&tally_id).is_none() {
        world.put(Tally { tally_id, count: 0, log: String::new() });
    }
    let tally = world.get_mut(&tally_id).expect("the tally was put there");
    if !tally.log.is_empty() {
        tally.log.push_str(", ");
    }
    tally.log.push_str(what);
    tally
}

pub fn migrations() -> Migrations {
    quintet_engine::migrations().and(store::migrations!("tests/engine/migrations"))
}
