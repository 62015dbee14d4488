//! What a service really does, found by trying everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crash::command_name;
use engine::{Effect, Participant, What};
use event::{AggregateKey, Contract as _};

use crate::{
    Described, Saga,
    contract::{AGGREGATE, example},
    react,
};

/// For each input by its name, what follows from it in some state: events by their types, and
/// requests to the outside world as `*name`.
///
/// Events are named by their types, commands by theirs, the outside world's answers `*name`,
/// alarms `@name`.
pub type Reactions = BTreeMap<String, BTreeSet<String>>;

struct State<P: Participant> {
    world: P::World,
    requested: Vec<P::Effect>,
    alarms: BTreeSet<&'static str>,
}

/// Walks all states of a service: from each beginning, every input in every state that can be reached, one
/// aggregate long.
#[must_use]
pub fn explore<P: Described<G>, G: Saga>() -> Reactions {
    let mut reactions = Reactions::new();
    let mut seen = BTreeSet::new();
    let mut todo: VecDeque<State<P>> = P::beginnings()
        .into_iter()
        .map(|world| State { world, requested: Vec::new(), alarms: BTreeSet::new() })
        .collect();
    while let Some(state) = todo.pop_front() {
        let mark =
            format!("{}{:?}{:?}", P::fingerprint(&state.world), state.requested, state.alarms);
        if !seen.insert(mark) {
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
            inputs.push((star(effect), What::Outcome(AGGREGATE.into(), outcome)));
        }
    }
    for alarm in &state.alarms {
        if let Ok(known) = alarm.parse::<P::Alarm>() {
            inputs.push((format!("@{alarm}"), What::Alarm(AGGREGATE.into(), known)));
        }
    }
    inputs
}

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
    let follows = events.chain(out.effects().iter().map(star)).collect();
    // The answered request is gone, and so is the alarm that rang.
    let mut requested: Vec<P::Effect> = state.requested.clone();
    if let Some(position) =
        answered.and_then(|name| requested.iter().position(|effect| star(effect) == name))
    {
        requested.remove(position);
    }
    requested.extend(out.effects().iter().cloned());
    let mut alarms = state.alarms.clone();
    alarms.retain(|alarm| Some(*alarm) != rang);
    alarms.extend(out.alarms_set().map(Into::<&'static str>::into));
    P::settle(&mut world);
    (State { world, requested, alarms }, follows)
}

/// A request by its kind: `*book` for `book-2`.
fn star<K: AggregateKey>(effect: &impl Effect<K>) -> String {
    let name = effect.name();
    format!("*{}", name.split('-').next().unwrap_or(&name))
}
