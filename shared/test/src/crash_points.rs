//! The points at which a test can kill a process of a service, and the inputs that pass them.
//!
//! A crash matrix has a cell for each input of a service and each [`Point`] that the input passes. The inputs are those that
//! an exploration of the service finds: see [`reactions_of`]. A process kills itself at a point if it was built with the
//! engine's feature `crash-points` and a [`Folder`] has armed the cell.

use event::{Contract, TypeOf};

pub use crash::{Armed, FOLDER, Folder, Point};

use crate::{Described, Saga, explore};

/// The reaction of a service to one kind of input, as an exploration has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The service.
    pub service: &'static str,
    /// The input: an event or a command by its type, `*book` for the answer to a booking, `*book held` when a
    /// booking is held for an operator, `*book resolved` for the operator's outcome, `@deadline` for an alarm.
    pub input: String,
    /// The kind of the input.
    pub kind: InputKind,
    /// Whether the service may emit events.
    pub emits: bool,
}

/// The kind of an input, which is where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// From the broker.
    Event,
    /// Over HTTP.
    Command,
    /// From a provider.
    Outcome,
    /// From a deadline.
    Alarm,
    /// No input: the engine holds a request for an operator.
    Hold,
    /// From an operator, with the outcome of a held request at its provider.
    Resolution,
}

/// The reactions of a service, from an exploration of all its states. In addition, each request to the outside world can be
/// held, and can then be resolved with any of its outcomes.
#[must_use]
pub fn reactions_of<S: Described<G>, G: Saga>() -> Vec<Reaction> {
    let reaction = |(input, follows): (String, std::collections::BTreeSet<String>)| Reaction {
        service: S::NAME,
        kind: InputKind::of::<G::Contract>(&input),
        emits: follows.iter().any(|what| !what.starts_with('*')),
        input,
    };
    let mut reactions: Vec<Reaction> = explore::<S, G>().into_iter().map(reaction).collect();
    let answers = reactions.iter().filter(|reaction| reaction.kind == InputKind::Outcome);
    let held: Vec<Reaction> = answers.flat_map(hold_and_resolution).collect();
    reactions.extend(held);
    reactions
}

/// The reactions of a request that is held instead of being answered.
fn hold_and_resolution(answer: &Reaction) -> [Reaction; 2] {
    let Reaction { service, input, emits, .. } = answer;
    let held = format!("{input} held");
    let resolved = format!("{input} resolved");
    [
        Reaction { service, input: held, kind: InputKind::Hold, emits: false },
        Reaction { service, input: resolved, kind: InputKind::Resolution, emits: *emits },
    ]
}

impl InputKind {
    fn of<C: Contract>(input: &str) -> Self {
        match input.chars().next() {
            Some('*') => Self::Outcome,
            Some('@') => Self::Alarm,
            _ if input.parse::<TypeOf<C>>().is_ok() => Self::Event,
            _ => Self::Command,
        }
    }
}
