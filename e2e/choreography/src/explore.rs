use std::collections::{BTreeMap, BTreeSet, VecDeque};

use contracts::{Event, EventType, OrderId, SCHEMAS, Trace};
use crash::command_name;
use engine::{Effect, Input, Participant, Reaction, What};
use jiff::Timestamp;
use uuid::Uuid;

/// The order that every exploration is about: that of the schemas' examples is put in its place.
pub const ORDER: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001);

/// A service whose states can be walked.
pub trait Explored: Participant<World: Clone> {
    /// The worlds in which its stories begin.
    fn beginnings() -> Vec<Self::World>;

    /// Forgets what only counts on: else no state would ever be met again.
    fn settle(world: &mut Self::World);

    /// What tells its states apart.
    fn fingerprint(world: &Self::World) -> String;

    /// Its commands.
    fn commands() -> Vec<Self::Command>;

    /// Every definite answer to this request.
    fn outcomes(effect: &Self::Effect) -> Vec<Self::Outcome>;

    /// Makes the event of the example fit the story, or another of its kind beside it.
    #[must_use]
    fn variants(event: Event) -> Vec<Event> {
        vec![event]
    }
}

/// For each input by its name, what follows from it in some state: events by their types, and
/// requests to the outside world as `*name`.
///
/// Events are named by their types, commands by theirs, the outside world's answers `*name`,
/// alarms `@name`.
pub type Reactions = BTreeMap<String, BTreeSet<String>>;

struct State<P: Explored> {
    world: P::World,
    requested: Vec<P::Effect>,
    alarms: BTreeSet<&'static str>,
}

/// Walks all states of a service.
#[must_use]
pub fn explore<P: Explored>() -> Reactions {
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
        for (name, what) in inputs::<P>(&state) {
            let answered = matches!(what, What::Outcome(..)).then(|| name.clone());
            let (next, out) = step::<P>(&state, what, answered.as_deref());
            reactions.entry(name).or_default().extend(out);
            todo.push_back(next);
        }
    }
    reactions
}

fn inputs<P: Explored>(state: &State<P>) -> Vec<(String, What<P>)> {
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
            inputs.push((star(effect), What::Outcome(ORDER.into(), outcome)));
        }
    }
    for alarm in &state.alarms {
        if let Ok(known) = alarm.parse::<P::Alarm>() {
            inputs.push((format!("@{alarm}"), What::Alarm(ORDER.into(), known)));
        }
    }
    inputs
}

fn step<P: Explored>(
    state: &State<P>,
    what: What<P>,
    answered: Option<&str>,
) -> (State<P>, BTreeSet<String>) {
    let cause = Uuid::from_u128(7);
    let mut world = state.world.clone();
    P::settle(&mut world);
    let rang = match &what {
        What::Alarm(_, alarm) => Some((*alarm).into()),
        _ => None,
    };
    let input = Input { cause, at: Timestamp::UNIX_EPOCH, trace: Trace::default(), what };
    let mut out = Reaction::new(cause, Timestamp::UNIX_EPOCH);
    P::react(&mut world, &input, &mut out);
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

/// A request by its kind: `*refund` for `refund-2`.
fn star(effect: &impl Effect) -> String {
    let name = effect.name();
    format!("*{}", name.split('-').next().unwrap_or(&name))
}

/// The example of an event's latest schema, about the order of all explorations.
///
/// # Panics
/// If a schema has no example of its own type.
#[must_use]
pub fn example(kind: EventType) -> Event {
    example_of(kind, ORDER)
}

/// The same about another order.
///
/// # Panics
/// As [`example`].
#[must_use]
pub fn example_of(kind: EventType, order: Uuid) -> Event {
    let of_kind = SCHEMAS.iter().filter(|schema| schema.event_type == kind);
    let schema = of_kind.max_by_key(|schema| schema.version).expect("every type has a schema");
    let mut data: serde_json::Value = serde_json::from_str(schema.example).expect("valid example");
    if data.get("order_id").is_some() {
        data["order_id"] = serde_json::json!(OrderId::from(order));
    }
    Event::from_json(kind, data).expect("the example is of its type")
}
