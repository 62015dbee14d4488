use choreography::{Described, explore};
use contracts::EventType;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use shipping::ShippingService;

/// What a service does with one kind of input, as the service itself was seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The service.
    pub service: &'static str,
    /// The input: an event or a command by its type, `*charge` for the answer to a charge, `*charge held` when a
    /// charge is held for an operator, `*charge resolved` for the operator's outcome, `@first_deadline` for an
    /// alarm.
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

/// The reactions of all services: every state of each is walked, nothing is listed by hand. Each request to the
/// outside world can be held besides, and resolved as it can be answered.
#[must_use]
pub fn reactions() -> Vec<Reaction> {
    [
        of::<OrderService>(),
        of::<InventoryService>(),
        of::<PaymentService>(),
        of::<ShippingService>(),
        of::<NotificationService>(),
    ]
    .concat()
}

fn of<P: Described>() -> Vec<Reaction> {
    let reaction = |(input, follows): (String, std::collections::BTreeSet<String>)| Reaction {
        service: P::NAME,
        kind: Kind::of(&input),
        emits: follows.iter().any(|what| !what.starts_with('*')),
        input,
    };
    let mut reactions: Vec<Reaction> = explore::<P>().into_iter().map(reaction).collect();
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
    fn of(input: &str) -> Self {
        match input.chars().next() {
            Some('*') => Self::Outcome,
            Some('@') => Self::Alarm,
            _ if EventType::ALL.iter().any(|event| event.as_str() == input) => Self::Event,
            _ => Self::Command,
        }
    }
}
