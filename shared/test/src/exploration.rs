//! Finds the reactions of a service by trying every input in every state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crash::command_name;
use engine::{Effect, Participant, What};
use event::{AggregateKey, Contract as _};

use crate::{
    Described, Saga,
    contract::{AGGREGATE, example},
    react,
};

/// For each input, everything that follows from it in any state.
///
/// An input is named by the type of its event or command; the answer to a request is named `*name`, an alarm `@name`. What
/// follows are events, by their types, and requests to the outside world, `*name`.
pub type Reactions = BTreeMap<String, BTreeSet<String>>;

/// The state of a service in an exploration.
struct State<P: Participant> {
    world: P::World,
    /// The requests that have no answer yet.
    requested: Vec<P::Effect>,
    /// The alarms that are set.
    alarms: BTreeSet<&'static str>,
}

/// Tries every input in every state of a service that can be reached from [`Described::beginnings`], with a single
/// aggregate.
#[must_use]
pub fn explore<P: Described<G>, G: Saga>() -> Reactions {
    let mut reactions = Reactions::new();
    let mut seen = BTreeSet::new();
    let mut todo: VecDeque<State<P>> = P::beginnings()
        .into_iter()
        .map(|world| State { world, requested: Vec::new(), alarms: BTreeSet::new() })
        .collect();
    while let Some(state) = todo.pop_front() {
        let fingerprint =
            format!("{}{:?}{:?}", P::fingerprint(&state.world), state.requested, state.alarms);
        if !seen.insert(fingerprint) {
            continue;
        }
        for (name, what) in inputs::<P, G>(&state) {
            let answered = matches!(what, What::Outcome(..)).then(|| name.clone());
            let (next, out) = step::<P, G>(&state, what, answered.as_deref());
            reactions.entry(name).or_default().extend(out);
            todo.push_back(next);
        }
    }
    reactions
}

/// All inputs that can come in this state, with their names.
fn inputs<P: Described<G>, G: Saga>(state: &State<P>) -> Vec<(String, What<P>)> {
    let mut inputs = Vec::new();
    for kind in P::CONSUMES {
        for event in P::variants(example(*kind)) {
            inputs.push((kind.to_string(), What::Event(event)));
        }
    }
    for command in P::commands() {
        inputs.push((command_name(&command), What::Command(command)));
    }
    for effect in &state.requested {
        for outcome in P::outcomes(effect) {
            inputs.push((request_name(effect), What::Outcome(AGGREGATE.into(), outcome)));
        }
    }
    for alarm in &state.alarms {
        if let Ok(known) = alarm.parse::<P::Alarm>() {
            inputs.push((format!("@{alarm}"), What::Alarm(AGGREGATE.into(), known)));
        }
    }
    inputs
}

/// Applies an input: the next state, and the names of everything that follows. `answered` is the name of the request that
/// the input answers.
fn step<P: Described<G>, G: Saga>(
    state: &State<P>,
    what: What<P>,
    answered: Option<&str>,
) -> (State<P>, BTreeSet<String>) {
    let mut world = state.world.clone();
    P::settle(&mut world);
    let rang = match &what {
        What::Alarm(_, alarm) => Some((*alarm).into()),
        _ => None,
    };
    let out = react::<P>(&mut world, what);
    let events = out.events().map(|event| event.event_type().to_string());
    let follows = events.chain(out.effects().iter().map(request_name)).collect();
    // The answered request and the alarm that rang are removed before the new ones are added.
    let mut requested: Vec<P::Effect> = state.requested.clone();
    let is_answered =
        |effect: &P::Effect| answered.is_some_and(|name| request_name(effect) == name);
    if let Some(position) = requested.iter().position(is_answered) {
        requested.remove(position);
    }
    requested.extend(out.effects().iter().cloned());
    let mut alarms = state.alarms.clone();
    alarms.retain(|alarm| Some(*alarm) != rang);
    alarms.extend(out.alarms_set().map(Into::<&'static str>::into));
    P::settle(&mut world);
    (State { world, requested, alarms }, follows)
}

/// The name of a request without its number: `*book` for `book-2`.
fn request_name<K: AggregateKey>(effect: &impl Effect<K>) -> String {
    let name = effect.name();
    format!("*{}", name.split('-').next().unwrap_or(&name))
}
