//! What a saga's events have in common.

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

/// The events of one saga. Implemented by [`crate::contract!`] for an enum with a variant for each type
/// of event.
pub trait Contract: Sized + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The saga's name: the prefix of consumer groups, of `ce_source`, of schema URNs and of metrics.
    const NAMESPACE: &'static str;
    /// The name of the key in JSON, such as `trip_id`: of events, and of the admin interface.
    const KEY_FIELD: &'static str;
    /// The types of events.
    type Type: EventType;
    /// The key of an aggregate: what most events are about, such as a trip.
    type Key: AggregateKey;

    /// Its type.
    fn event_type(&self) -> Self::Type;

    /// What it is about.
    fn subject(&self) -> Subject<Self::Key>;

    /// Its data as JSON, in the version in which its type is to be published, and that version.
    fn encode(&self, versions: &Versions<Self>) -> (u32, Box<RawValue>);

    /// The event whose data, in this version, is this JSON.
    ///
    /// # Errors
    /// [`DecodeError::Unfit`] when the JSON lacks a property or has one of another type.
    fn decode(event_type: Self::Type, version: u32, data: Value) -> Result<Self, DecodeError>;

    /// All topics, sorted by name.
    fn topics() -> &'static [TopicSpec];

    /// All schemas, by type, then by version in ascending order.
    fn schemas() -> impl Iterator<Item = &'static Schema<Self::Type>> {
        Self::Type::ALL.iter().flat_map(|event_type| event_type.schemas())
    }

    /// The aggregate that it is about, if any.
    fn aggregate(&self) -> Option<Self::Key> {
        match self.subject() {
            Subject::Aggregate(key) => Some(key),
            Subject::Other(_) => None,
        }
    }

    /// The record's key: the hyphenated id of the aggregate, or the text of another subject.
    fn key(&self) -> String {
        match self.subject() {
            Subject::Aggregate(key) => key.to_string(),
            Subject::Other(text) => text,
        }
    }

    /// Its data, in the latest version.
    fn to_json(&self) -> Value {
        let (_, data) = self.encode(&Versions::default());
        // The text was written a moment ago by a JSON serializer.
        serde_json::from_str(data.get()).unwrap_or_default()
    }

    /// The event whose data, in the latest version, is this JSON.
    ///
    /// # Errors
    /// [`DecodeError::Unfit`] when the JSON lacks a property or has one of another type.
    fn from_json(event_type: Self::Type, data: Value) -> Result<Self, DecodeError> {
        Self::decode(event_type, event_type.latest_version(), data)
    }

    /// Whether its data follows the latest version of its schema.
    ///
    /// For the edges where data of others becomes an event: what does not conform is refused by
    /// every consumer.
    ///
    /// # Errors
    /// The first property that does not, and why.
    fn check(&self) -> Result<(), Violation> {
        let schema = self.event_type().schemas().last();
        schema.map_or(Ok(()), |schema| schema.check(&self.to_json()))
    }
}

/// The key of a contract.
pub type KeyOf<C> = <C as Contract>::Key;
/// The types of a contract's events.
pub type TypeOf<C> = <C as Contract>::Type;

/// The types of a contract's events. Implemented by [`crate::contract!`].
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
    /// Every type.
    const ALL: &'static [Self];

    /// Its name, such as `TripBooked`: also its `ce_type`.
    fn as_str(self) -> &'static str;

    /// The service that publishes it.
    fn publisher(self) -> &'static str;

    /// The topic that carries it.
    fn topic(self) -> &'static str;

    /// The folder of its schemas, such as `trip_booked`; also its name in schema URNs.
    fn folder(self) -> &'static str;

    /// Its schemas, by version in ascending order.
    fn schemas(self) -> &'static [Schema<Self>];

    /// The schema of this version, if there is one.
    fn schema(self, version: u32) -> Option<&'static Schema<Self>> {
        self.schemas().iter().find(|schema| schema.version == version)
    }

    /// The latest version of its schema.
    fn latest_version(self) -> u32 {
        self.schemas().last().map_or(0, |schema| schema.version)
    }
}

/// The key of an aggregate: a newtype over [`Uuid`], as [`crate::ids!`] makes it.
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

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<K> {
    /// An aggregate: its events are applied in the order of their topic.
    Aggregate(K),
    /// Anything else, such as a hotel; it is no part of an aggregate's history.
    Other(String),
}

/// A topic of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct TopicSpec {
    /// Its name.
    pub name: &'static str,
    /// Whether it keeps the latest record of each key for ever.
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
#[error("`{0}` is no event type of this contract")]
pub struct UnknownEventType(String);

impl UnknownEventType {
    /// The name that was given, as far as it is worth repeating.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(format!("{name:.64}"))
    }
}

/// In which versions events are published, while not every consumer knows the latest. A type that is
/// not named is published in its latest version; what a version cannot say goes out in the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions<C: Contract>(Vec<(C::Type, u32)>);

impl<C: Contract> Default for Versions<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: Contract> Versions<C> {
    /// The same, with this type published in this version.
    #[must_use]
    pub fn with(mut self, event_type: C::Type, version: u32) -> Self {
        self.0.retain(|(named, _)| *named != event_type);
        self.0.push((event_type, version));
        self
    }

    /// The types that are named, each with its version.
    pub fn iter(&self) -> impl Iterator<Item = (C::Type, u32)> {
        self.0.iter().copied()
    }

    /// The version of this type, if it is named.
    #[must_use]
    pub fn of(&self, event_type: C::Type) -> Option<u32> {
        self.0.iter().find(|(named, _)| *named == event_type).map(|(_, version)| *version)
    }
}

/// An earlier version of an event's data: how it becomes the next version, and how the latest is still
/// said in it.
pub trait Earlier<'a, Latest>: Serialize + Sized {
    /// Brings data of this version to the next one.
    fn upcast(data: &mut Value);

    /// The latest version's data in this version; `None` where this version cannot say it.
    fn downcast(latest: &'a Latest) -> Option<Self>;
}

/// The data of an event as JSON text.
///
/// # Panics
/// If the data has a map whose keys are no text, which no JSON Schema can describe.
pub fn text(data: &impl Serialize) -> Box<RawValue> {
    to_raw_value(data).expect("an event's data is plain JSON")
}
