//! Points at which a process of a service can be told to die, and the inputs that pass them.
//!
//! A matrix of deaths has a cell for each [`Point`] that an input of each kind passes. The inputs are
//! those that an exploration of the service has met: see [`reactions_of`]. A process dies if it was built with the
//! engine's feature `crash-points` and a [`Folder`] has the cell armed.

use event::{Contract, TypeOf};

pub use crash::{Armed, FOLDER, Folder, Point};

use crate::{Described, Saga, explore};

/// What a service does with one kind of input, as the service itself was seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The service.
    pub service: &'static str,
    /// The input: an event or a command by its type, `*book` for the answer to a booking, `*book held` when a
    /// booking is held for an operator, `*book resolved` for the operator's outcome, `@deadline` for an alarm.
    pub input: String,
    /// How it comes.
    pub kind: Kind,
    /// Whether it may emit events.
    pub emits: bool,
}

/// How an input comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From the broker.
    Event,
    /// Over HTTP.
    Command,
    /// From the outside world.
    Outcome,
    /// From a deadline.
    Alarm,
    /// No input: the engine holds a request for an operator.
    Hold,
    /// From an operator who looked a held request up at the provider.
    Resolution,
}

/// The reactions of a service: every state of it is walked, nothing is listed by hand. Each request to the outside
/// world can be held besides, and resolved as it can be answered.
#[must_use]
pub fn reactions_of<S: Described<G>, G: Saga>() -> Vec<Reaction> {
    let reaction = |(input, follows): (String, std::collections::BTreeSet<String>)| Reaction {
        service: S::NAME,
        kind: Kind::of::<G::Contract>(&input),
        emits: follows.iter().any(|what| !what.starts_with('*')),
        input,
    };
    let mut reactions: Vec<Reaction> = explore::<S, G>().into_iter().map(reaction).collect();
    let answers = reactions.iter().filter(|reaction| reaction.kind == Kind::Outcome);
    let besides: Vec<Reaction> = answers.flat_map(besides).collect();
    reactions.extend(besides);
    reactions
}

/// What can become of a request instead of this answer.
fn besides(answer: &Reaction) -> [Reaction; 2] {
    let Reaction { service, input, emits, .. } = answer;
    let held = format!("{input} held");
    let resolved = format!("{input} resolved");
    [
        Reaction { service, input: held, kind: Kind::Hold, emits: false },
        Reaction { service, input: resolved, kind: Kind::Resolution, emits: *emits },
    ]
}

impl Kind {
    fn of<C: Contract>(input: &str) -> Self {
        match input.chars().next() {
            Some('*') => Self::Outcome,
            Some('@') => Self::Alarm,
            _ if input.parse::<TypeOf<C>>().is_ok() => Self::Event,
            _ => Self::Command,
        }
    }
}
