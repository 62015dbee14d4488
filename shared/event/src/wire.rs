//! Events on the wire: `CloudEvents` 1.0 in Kafka's binary mode. The attributes are headers, the
//! data is the value, the key is the id of the aggregate, or what else the event is about.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::schema::{Schema, Violation};
use crate::{Contract, EventId, EventType, Headers, Trace, Versions};

/// The header that a dead letter gets when it is tried again: how often it was tried, this time
/// included. No record on the broker has it.
pub const ATTEMPT_HEADER: &str = "quintet_attempt";

/// What is repeated of a key or subject, and what is told of a header, in characters.
const LONGEST_FOUND: usize = 64;
const LONGEST_REASON: usize = 200;

const SPEC_VERSION: &str = "ce_specversion";
const ID: &str = "ce_id";
const TYPE: &str = "ce_type";
const SOURCE: &str = "ce_source";
const TIME: &str = "ce_time";
const SUBJECT: &str = "ce_subject";
const DATA_SCHEMA: &str = "ce_dataschema";
const CONTENT_TYPE: &str = "content-type";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// An event with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<C> {
    /// Tells a repeat from something new.
    pub id: EventId,
    /// The service that published it, such as `/travel/booking`.
    pub source: String,
    /// When it was said, to the microsecond.
    pub at: Timestamp,
    /// The trace that it belongs to.
    pub trace: Trace,
    /// The version in which it came in; `event` is in the latest.
    pub version: u32,
    /// What was said.
    pub event: C,
}

/// A record for the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoded {
    /// The event's id, which is among the headers too.
    pub id: EventId,
    /// Where it goes.
    pub topic: String,
    /// The record's key.
    pub key: String,
    /// The record's headers.
    pub headers: Headers,
    /// The data.
    pub value: Box<RawValue>,
}

/// What a record turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<C> {
    /// An event of this contract.
    Event(Box<Envelope<C>>),
    /// Something else, to be ignored.
    Foreign {
        /// Its `ce_type`.
        event_type: String,
    },
}

/// Why a record is no event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A header is not there.
    #[error("the header `{name}` is missing: a CloudEvent in binary mode has it")]
    MissingHeader {
        /// The header.
        name: &'static str,
    },
    /// A header is there, but says nothing usable.
    #[error("the header `{name}` is invalid: {reason}")]
    InvalidHeader {
        /// The header.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Of a version that this program does not know, likely a newer one.
    #[error(
        "{event_type} v{version} is unknown here, the latest is v{latest}: upgrade, then replay"
    )]
    UnknownVersion {
        /// The event's type.
        event_type: &'static str,
        /// The version that came in.
        version: u32,
        /// The latest that this program knows.
        latest: u32,
    },
    /// The value is not JSON.
    #[error("the value is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The data does not follow the schema of its version.
    #[error(transparent)]
    Schema(#[from] Violation),
    /// The data follows its schema, but not the program's types: JSON Schema takes `1.0` for an
    /// integer.
    #[error("the data of {event_type} does not fit: {source}")]
    Unfit {
        /// The event's type.
        event_type: &'static str,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The key or the subject names something else than the data.
    #[error("the {what} is `{found}`, but the data is about `{expected}`")]
    Mismatch {
        /// `key` or `ce_subject`.
        what: &'static str,
        /// What the data is about.
        expected: String,
        /// What the key or the subject says.
        found: String,
    },
}

/// The record that says `event`.
#[must_use]
pub fn encode<C: Contract>(
    id: EventId,
    source: &str,
    at: Timestamp,
    trace: &Trace,
    event: &C,
    versions: &Versions<C>,
) -> Encoded {
    let (version, value) = event.encode(versions);
    let event_type = event.event_type();
    let key = event.key();
    let mut headers = Headers::with_capacity(room(source, &key, trace));
    headers.push(SPEC_VERSION, "1.0");
    headers.push_display(ID, id);
    headers.push(TYPE, event_type.as_str());
    headers.push(SOURCE, source);
    headers.push_display(TIME, at);
    headers.push(SUBJECT, &key);
    let schema = format_args!("urn:{}:schemas:{}:v{version}", C::NAMESPACE, event_type.folder());
    headers.push_display(DATA_SCHEMA, schema);
    headers.push(CONTENT_TYPE, "application/json");
    let traced = [(TRACEPARENT, &trace.traceparent), (TRACESTATE, &trace.tracestate)];
    headers.extend(traced.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))));
    Encoded { id, topic: event_type.topic().to_owned(), key, headers, value }
}

/// What an event's headers take at most, so that they are allocated once.
fn room(source: &str, key: &str, trace: &Trace) -> usize {
    /// What is of no length of its own: the names, the framing, the values that are alike in all.
    const FIXED: usize = 352;
    let trace = [&trace.traceparent, &trace.tracestate];
    let trace: usize = trace.into_iter().flatten().map(String::len).sum();
    FIXED + source.len() + key.len() + trace
}

/// The event that a record says: checked against the schema of its version, then brought to the
/// latest.
///
/// # Errors
/// When it is of this contract by its type, but does not keep to it.
pub fn decode<C: Contract>(
    key: &[u8],
    headers: &Headers,
    value: &[u8],
) -> Result<Decoded<C>, DecodeError> {
    let headers = Attributes(headers);
    let name = headers.text(TYPE)?;
    let Ok(event_type) = name.parse::<C::Type>() else {
        let event_type = name.to_owned();
        return Ok(Decoded::Foreign { event_type });
    };
    headers.check_format()?;
    let schema = headers.schema::<C>(event_type)?;

    let data: Value = serde_json::from_slice(value).map_err(DecodeError::NotJson)?;
    schema.check(&data)?;
    let event = C::decode(event_type, schema.version, data)?;

    let expected = event.key();
    same("key", &expected, key)?;
    same(SUBJECT, &expected, headers.required(SUBJECT)?)?;
    Ok(Decoded::Event(Box::new(Envelope {
        id: headers.parsed(ID)?,
        source: headers.source()?.to_owned(),
        at: microseconds(headers.parsed(TIME)?),
        trace: headers.trace(),
        version: schema.version,
        event,
    })))
}

fn same(what: &'static str, expected: &str, found: &[u8]) -> Result<(), DecodeError> {
    if found == expected.as_bytes() {
        return Ok(());
    }
    Err(DecodeError::Mismatch {
        what,
        expected: expected.to_owned(),
        found: line(&String::from_utf8_lossy(found), LONGEST_FOUND),
    })
}

/// Others may be more exact than what the databases keep.
fn microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

struct Attributes<'a>(&'a Headers);

impl<'a> Attributes<'a> {
    fn required(&self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        self.0.get(name).ok_or(DecodeError::MissingHeader { name })
    }

    fn text(&self, name: &'static str) -> Result<&'a str, DecodeError> {
        str::from_utf8(self.required(name)?).map_err(|_| invalid(name, "it is not UTF-8"))
    }

    fn parsed<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<T, DecodeError> {
        let parsed = self.text(name)?.parse();
        parsed.map_err(|error: T::Err| invalid(name, error.to_string()))
    }

    fn source(&self) -> Result<&'a str, DecodeError> {
        match self.text(SOURCE)? {
            "" => Err(invalid(SOURCE, "it is empty")),
            source => Ok(source),
        }
    }

    fn check_format(&self) -> Result<(), DecodeError> {
        if self.text(SPEC_VERSION)? != "1.0" {
            return Err(invalid(SPEC_VERSION, "only 1.0 is understood"));
        }
        // Parameters, such as a charset, may follow: JSON is UTF-8 whatever they say.
        let content_type = self.text(CONTENT_TYPE)?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            Ok(())
        } else {
            Err(invalid(CONTENT_TYPE, "only application/json is understood"))
        }
    }

    fn schema<C: Contract>(
        &self,
        event_type: C::Type,
    ) -> Result<&'static Schema<C::Type>, DecodeError> {
        let id = self.text(DATA_SCHEMA)?;
        let known = event_type.schemas().iter().find(|schema| schema.id == id);
        known.ok_or_else(|| {
            let family = format!("urn:{}:schemas:{}:v", C::NAMESPACE, event_type.folder());
            let version = id.strip_prefix(&family).and_then(|number| number.parse().ok());
            let (latest, event_type) = (event_type.latest_version(), event_type.as_str());
            match version {
                // One to come, as it would be written: `v01` is none.
                Some(version) if version > latest && id.ends_with(&format!("v{version}")) => {
                    DecodeError::UnknownVersion { event_type, version, latest }
                }
                _ => invalid(DATA_SCHEMA, format!("{event_type} needs `{family}` and a number")),
            }
        })
    }

    fn trace(&self) -> Trace {
        Trace::parse(self.0.text(TRACEPARENT), self.0.text(TRACESTATE))
    }
}

fn invalid(name: &'static str, reason: impl Into<String>) -> DecodeError {
    let reason = line(&reason.into(), LONGEST_REASON);
    DecodeError::InvalidHeader { name, reason }
}

/// For one line of a log, whatever was sent: not long, and without control characters.
fn line(text: &str, longest: usize) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(longest).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::ids! {
        /// A game.
        GameId;
    }

    crate::contract! {
        /// What is said in a game.
        pub enum GameEvent: GameEventType;
        namespace "arcade";
        key game_id: GameId;
        schemas "tests/schemas";
        compacted;
        payloads(Clone, Debug, PartialEq, Serialize, Deserialize);

        /// A ball was served.
        Served by "table" on "games" in "served": 1 { game_id: GameId, speed: i64 }
    }

    #[test]
    fn there_is_room_for_the_headers_of_an_event() {
        let trace =
            Trace { traceparent: Some("parent".to_owned()), tracestate: Some("state".to_owned()) };
        for schema in GameEventType::ALL.iter().flat_map(|event_type| event_type.schemas()) {
            let data = serde_json::from_str(schema.example).unwrap();
            let event = GameEvent::decode(schema.event_type, schema.version, data).unwrap();
            let id = uuid::Uuid::nil().into();
            let encoded = encode(id, "", Timestamp::MAX, &trace, &event, &Versions::default());
            let room = room("", &encoded.key, &trace);
            let taken = encoded.headers.as_bytes().len();
            assert!((room - 150..=room).contains(&taken), "{taken} of {room}");
        }
    }
}
