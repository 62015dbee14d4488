//! The trait of a saga's events, and the types around it.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use uuid::Uuid;

use crate::{DecodeError, Schema, Violation};

/// The events of one saga. [`crate::contract!`] implements it for an enum with a variant for each type of event.
pub trait Contract: Sized + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The saga's name: the prefix of consumer groups, of `ce_source`, of schema URNs and of metrics.
    const NAMESPACE: &'static str;
    /// The name of the aggregate's key in JSON, such as `trip_id`, in events and in the admin interface.
    const KEY_FIELD: &'static str;
    /// The types of events.
    type Type: EventType;
    /// The key of an aggregate, which is the subject of most events, such as a trip.
    type Key: AggregateKey;

    /// The event's type.
    fn event_type(&self) -> Self::Type;

    /// The event's subject.
    fn subject(&self) -> Subject<Self::Key>;

    /// The version in which the event is to be published, and its data in that version as JSON.
    fn encode(&self, versions: &Versions<Self>) -> (u32, Box<RawValue>);

    /// The event whose data in this version is this JSON.
    ///
    /// # Errors
    /// [`DecodeError::Unfit`] if the JSON lacks a property or has one of another type.
    fn decode(event_type: Self::Type, version: u32, data: Value) -> Result<Self, DecodeError>;

    /// All topics, sorted by name.
    fn topics() -> &'static [TopicSpec];

    /// All schemas, by type, then by version in ascending order.
    fn schemas() -> impl Iterator<Item = &'static Schema<Self::Type>> {
        Self::Type::ALL.iter().flat_map(|event_type| event_type.schemas())
    }

    /// The aggregate that is the event's subject, if it is one.
    fn aggregate(&self) -> Option<Self::Key> {
        match self.subject() {
            Subject::Aggregate(key) => Some(key),
            Subject::Other(_) => None,
        }
    }

    /// The key of the event's record: the hyphenated id of the aggregate, or the text of another subject.
    fn key(&self) -> String {
        match self.subject() {
            Subject::Aggregate(key) => key.to_string(),
            Subject::Other(text) => text,
        }
    }

    /// The event's data in the latest version.
    fn to_json(&self) -> Value {
        let (_, data) = self.encode(&Versions::default());
        // Cannot fail: a JSON serializer has just written the text.
        serde_json::from_str(data.get()).unwrap_or_default()
    }

    /// The event whose data in the latest version is this JSON.
    ///
    /// # Errors
    /// [`DecodeError::Unfit`] if the JSON lacks a property or has one of another type.
    fn from_json(event_type: Self::Type, data: Value) -> Result<Self, DecodeError> {
        Self::decode(event_type, event_type.latest_version(), data)
    }

    /// Succeeds if the event's data follows the latest version of its schema.
    ///
    /// Call it where data from outside becomes an event: every consumer refuses an event that does not follow its
    /// schema.
    ///
    /// # Errors
    /// The first property that does not follow it, and why.
    fn check(&self) -> Result<(), Violation> {
        let schema = self.event_type().schemas().last();
        schema.map_or(Ok(()), |schema| schema.check(&self.to_json()))
    }
}

/// The key of a contract.
pub type KeyOf<C> = <C as Contract>::Key;
/// The types of a contract's events.
pub type TypeOf<C> = <C as Contract>::Type;

/// The types of a contract's events. [`crate::contract!`] implements it.
pub trait EventType:
    Copy
    + Debug
    + Display
    + Eq
    + Ord
    + Hash
    + FromStr<Err = UnknownEventType>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// All types.
    const ALL: &'static [Self];

    /// The type's name, such as `TripBooked`, which is also the `ce_type`.
    fn as_str(self) -> &'static str;

    /// The service that publishes events of this type.
    fn publisher(self) -> &'static str;

    /// The topic of events of this type.
    fn topic(self) -> &'static str;

    /// The folder of the type's schemas, such as `trip_booked`; also the name in schema URNs.
    fn folder(self) -> &'static str;

    /// The type's schemas, in ascending order of versions.
    fn schemas(self) -> &'static [Schema<Self>];

    /// The schema of this version, if there is one.
    fn schema(self, version: u32) -> Option<&'static Schema<Self>> {
        self.schemas().iter().find(|schema| schema.version == version)
    }

    /// The latest version of the type's schema.
    fn latest_version(self) -> u32 {
        self.schemas().last().map_or(0, |schema| schema.version)
    }
}

/// The key of an aggregate: a newtype over [`Uuid`], which [`crate::ids!`] makes.
pub trait AggregateKey:
    Copy
    + Debug
    + Display
    + Eq
    + Ord
    + Hash
    + FromStr<Err = uuid::Error>
    + From<Uuid>
    + Into<Uuid>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

/// The subject of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<K> {
    /// An aggregate. Its events of one topic are applied in the order of that topic.
    Aggregate(K),
    /// Another subject, such as a hotel, which belongs to no aggregate.
    Other(String),
}

/// A topic of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct TopicSpec {
    /// The topic's name.
    pub name: &'static str,
    /// Whether the topic keeps the latest record of each key for ever.
    pub compacted: bool,
}

impl TopicSpec {
    /// A topic of this name.
    #[must_use]
    pub const fn new(name: &'static str, compacted: bool) -> Self {
        Self { name, compacted }
    }

    /// Whether this contract's topic of this name is compacted.
    #[must_use]
    pub fn is_compacted<C: Contract>(name: &str) -> bool {
        C::topics().iter().any(|topic| topic.compacted && topic.name == name)
    }
}

/// A `ce_type` that is not in the contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an event type of this contract")]
pub struct UnknownEventType(String);

impl UnknownEventType {
    /// The error about this name, of which it repeats 64 characters.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(format!("{name:.64}"))
    }
}

/// The versions in which types of events are published while not every consumer knows the latest. Events of
/// other types are published in the latest version. So is an event that an earlier version cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions<C: Contract>(Vec<(C::Type, u32)>);

impl<C: Contract> Default for Versions<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: Contract> Versions<C> {
    /// These versions, with events of this type published in this version.
    #[must_use]
    pub fn with(mut self, event_type: C::Type, version: u32) -> Self {
        self.0.retain(|(named, _)| *named != event_type);
        self.0.push((event_type, version));
        self
    }

    /// The types that have a version here, each with it.
    pub fn iter(&self) -> impl Iterator<Item = (C::Type, u32)> {
        self.0.iter().copied()
    }

    /// The version of this type, if it has one here.
    #[must_use]
    pub fn of(&self, event_type: C::Type) -> Option<u32> {
        self.0.iter().find(|(named, _)| *named == event_type).map(|(_, version)| *version)
    }
}

/// An earlier version of an event's data: converts it to the next version, and the latest version to it.
pub trait Earlier<'a, Latest>: Serialize + Sized {
    /// Converts data of this version to the next one.
    fn upcast(data: &mut Value);

    /// The data of the latest version in this version; `None` if this version cannot express it.
    fn downcast(latest: &'a Latest) -> Option<Self>;
}

/// The data of an event as JSON text.
///
/// # Panics
/// If the data has a map whose keys are not strings, which no JSON Schema can describe.
pub fn text(data: &impl Serialize) -> Box<RawValue> {
    to_raw_value(data).expect("an event's data is plain JSON")
}
