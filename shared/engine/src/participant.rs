use std::{any::TypeId, collections::BTreeSet, fmt::Debug, str::FromStr};

use async_trait::async_trait;
use bus::Incoming;
use event::{AggregateKey, Contract, EffectId, EventType, KeyOf, Trace, TypeOf, derived};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use store::{StoreError, Tx};
use uuid::Uuid;

use crate::{
    Reaction,
    resolution::{Impossible, Resolution},
};

/// A service: a pure function over the rows that it touches, and how those are loaded and saved.
#[async_trait]
pub trait Participant: Sized + Send + Sync + 'static {
    /// Its name: the source of its events, and the second half of its consumer group ([`group`]).
    const NAME: &'static str;
    /// The events that it reacts to. Others on its topics are skipped.
    const CONSUMES: &'static [TypeOf<Self::Contract>];

    /// The events of its saga.
    type Contract: Contract;

    /// The rows that one batch may read or change.
    type World: Send;
    /// A request of its HTTP interface.
    type Command: Debug + Send + Sync;
    /// The answer to a command.
    type Reply: Reply;
    /// A request to the outside world.
    type Effect: Effect<Key<Self>>;
    /// A definite answer of the outside world.
    type Outcome: Debug + Send + Sync;
    /// The names of its deadlines.
    type Alarm: Alarm;

    /// Loads and locks every row that `inputs` may touch: one query per table, always in the same
    /// order of tables.
    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Self::World, StoreError>;

    /// Saves what has changed.
    async fn save(&self, tx: &mut Tx, world: &Self::World) -> Result<(), StoreError>;

    /// Is called with the rows of a batch that committed at about `now`, for the service's own metrics. A commit whose
    /// result is unknown is not reported.
    fn committed(&self, _world: &Self::World, _now: Timestamp) {}

    /// The reaction itself. Total: no clock, no randomness, no I/O, no failure. A refusal of the
    /// business is an event or a reply.
    fn react(world: &mut Self::World, input: &Input<Self>, out: &mut Reaction<Self>);

    /// The outcome of a held effect, as an operator found it at the provider.
    ///
    /// # Errors
    /// If the effect cannot have this outcome; the error names the outcomes that it can have.
    fn resolve(
        effect: &Self::Effect,
        _resolution: &Resolution,
    ) -> Result<Self::Outcome, Impossible> {
        let kind = effect.kind();
        Err(Impossible::outcome(&format!("the provider's answer: {kind} takes no other")))
    }
}

/// The key of the aggregates of a service's saga.
pub type Key<P> = KeyOf<<P as Participant>::Contract>;

/// The consumer group of a service.
#[must_use]
pub fn group<P: Participant>() -> String {
    format!("{}-{}", P::Contract::NAMESPACE, P::NAME)
}

/// The topics of a service's events.
#[must_use]
pub fn subscription<P: Participant>() -> Vec<&'static str> {
    let topics: BTreeSet<_> = P::CONSUMES.iter().map(|event| event.topic()).collect();
    topics.into_iter().collect()
}

/// Whether this service reacts to events of the record's type. A record without a legible type counts as one of
/// them: decoding it says what is wrong.
pub(crate) fn consumes<P: Participant>(record: &Incoming) -> bool {
    let name = record.headers.text("ce_type");
    name.is_none_or(|name| P::CONSUMES.iter().any(|event| event.as_str() == name))
}

/// Something that a service reacts to.
#[derive(Debug)]
pub struct Input<P: Participant> {
    /// The id of the event, command, effect or alarm: ids of what follows are derived from it.
    pub cause: Uuid,
    /// For an event, the time at which it happened, by its sender. For a command, an outcome or an alarm, the time at
    /// which this service took it.
    pub at: Timestamp,
    /// The trace that it belongs to.
    pub trace: Trace,
    /// The event, command, outcome or alarm.
    pub what: What<P>,
}

/// The four kinds of [`Input`].
#[derive(Debug)]
pub enum What<P: Participant> {
    /// An event of any service.
    Event(P::Contract),
    /// A request over HTTP.
    Command(P::Command),
    /// A definite answer of the outside world.
    Outcome(Key<P>, P::Outcome),
    /// A deadline that has passed.
    Alarm(Key<P>, P::Alarm),
}

impl<P: Participant> What<P> {
    /// Its name in error messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Event(event) => event.event_type().as_str(),
            Self::Command(_) => "a command",
            Self::Outcome(..) => "an outcome",
            Self::Alarm(_, alarm) => (*alarm).into(),
        }
    }
}

impl<P: Participant> Input<P> {
    /// The aggregate that it is about, if it is an event, an outcome or an alarm of one.
    #[must_use]
    pub fn aggregate(&self) -> Option<Key<P>> {
        match &self.what {
            What::Event(event) => event.aggregate(),
            What::Command(_) => None,
            What::Outcome(aggregate, _) | What::Alarm(aggregate, _) => Some(*aggregate),
        }
    }
}

/// A command's answer.
pub trait Reply: Debug + Clone + Send + Sync {
    /// What is stored under the command's idempotency key: the response itself, byte for byte, so that a repeat gets
    /// the same one from any later version of the service. `None` if the command was not carried out: nothing
    /// is stored, and a repeat is a new request.
    fn stored(&self) -> Option<String>;

    /// The answer to a repeat, from what this or an earlier version of the service has stored; `None` if that
    /// cannot be read.
    fn restored(stored: &str) -> Option<Self>;
}

/// A request to the outside world, made for an aggregate with a key of this type.
pub trait Effect<K: AggregateKey>:
    Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The aggregate that it is made for.
    fn aggregate(&self) -> K;

    /// Its name, unique among the aggregate's requests of this service: asking again under the same
    /// name is the same request. Where two services ask one provider about the same aggregate, their names must
    /// differ as well, since the provider tells requests apart by [`Effect::id`].
    fn name(&self) -> String;

    /// Requests with the same key fail together, as far as the service can know: mail to one domain, bookings at one
    /// hotel. The failures of a key cost that key only. By default, the requests of each aggregate have a key of their
    /// own.
    fn isolation_key(&self) -> String {
        self.aggregate().to_string()
    }

    /// The request as operators may see it: without secrets, such as an access token.
    fn shown(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What kind of request it is, of a handful: its name up to the first hyphen.
    fn kind(&self) -> String {
        let name = self.name();
        name.split_once('-').map_or(name.as_str(), |(kind, _)| kind).to_owned()
    }

    /// Its id, which is also its idempotency key. It is derived, so that a repeat has the same key whatever was lost in
    /// between.
    fn id(&self) -> EffectId {
        let aggregate = self.aggregate().into();
        derived(aggregate, aggregate, &self.name(), 0).into()
    }
}

/// A deadline's name.
pub trait Alarm: Debug + Copy + Into<&'static str> + FromStr + Send + Sync + 'static {}

impl<T: Debug + Copy + Into<&'static str> + FromStr + Send + Sync + 'static> Alarm for T {}

/// The id of an aggregate's alarm of this name. At most one is set at a time.
pub(crate) fn alarm_id(aggregate: Uuid, alarm: impl Alarm) -> Uuid {
    derived(aggregate, aggregate, alarm.into(), 1)
}

/// For a service without commands, effects or alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Never {}

impl Never {
    /// Whether `T` is this type. Then its loop has nothing to do.
    pub(crate) fn is<T: 'static>() -> bool {
        TypeId::of::<T>() == TypeId::of::<Self>()
    }
}

impl Reply for Never {
    fn stored(&self) -> Option<String> {
        match *self {}
    }

    fn restored(_: &str) -> Option<Self> {
        None
    }
}

impl<K: AggregateKey> Effect<K> for Never {
    fn aggregate(&self) -> K {
        match *self {}
    }

    fn name(&self) -> String {
        match *self {}
    }
}

impl From<Never> for &'static str {
    fn from(never: Never) -> Self {
        match never {}
    }
}

impl FromStr for Never {
    type Err = ();

    fn from_str(_: &str) -> Result<Self, ()> {
        Err(())
    }
}
