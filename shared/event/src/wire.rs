//! Events on the wire: `CloudEvents` 1.0 in Kafka's binary mode. The attributes are headers, the data is the
//! value, and the key is the event's subject: the id of an aggregate, or another text.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::schema::{Schema, Violation};
use crate::{Contract, EventId, EventType, Headers, Trace, Versions};

/// The header of a dead letter that is tried again: the number of the attempt. No record on the broker has it.
pub const ATTEMPT_HEADER: &str = "quintet_attempt";

/// How many characters of a wrong key or subject an error repeats.
const LONGEST_FOUND: usize = 64;
/// How many characters the reason of an error about a header has at most.
const LONGEST_REASON: usize = 200;

pub(crate) const SPEC_VERSION: &str = "ce_specversion";
pub(crate) const ID: &str = "ce_id";
pub(crate) const TYPE: &str = "ce_type";
pub(crate) const SOURCE: &str = "ce_source";
pub(crate) const TIME: &str = "ce_time";
pub(crate) const SUBJECT: &str = "ce_subject";
pub(crate) const DATA_SCHEMA: &str = "ce_dataschema";
pub(crate) const CONTENT_TYPE: &str = "content-type";
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// An event with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<C> {
    /// The event's id, by which a repeated event is recognised.
    pub id: EventId,
    /// The service that published the event, such as `/travel/booking`.
    pub source: String,
    /// When the event happened, to the microsecond.
    pub at: Timestamp,
    /// The trace that the event belongs to.
    pub trace: Trace,
    /// The version of the record's data. `event` is in the latest version.
    pub version: u32,
    /// The event.
    pub event: C,
}

/// A record for the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoded {
    /// The event's id, which is also a header.
    pub id: EventId,
    /// The record's topic.
    pub topic: String,
    /// The record's key.
    pub key: String,
    /// The record's headers.
    pub headers: Headers,
    /// The data.
    pub value: Box<RawValue>,
}

/// A decoded record.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<C> {
    /// An event of this contract.
    Event(Box<Envelope<C>>),
    /// An event that is not in this contract, to be ignored.
    Foreign {
        /// The record's `ce_type`.
        event_type: String,
    },
}

/// Why a record is not an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A header is missing.
    #[error("the header `{name}` is missing: a CloudEvent in binary mode has it")]
    MissingHeader {
        /// The header.
        name: &'static str,
    },
    /// The value of a header cannot be used.
    #[error("the header `{name}` is invalid: {reason}")]
    InvalidHeader {
        /// The header.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The event has a version that this program does not know, probably a newer one.
    #[error(
        "{event_type} v{version} is unknown here, the latest is v{latest}: upgrade, then replay"
    )]
    UnknownVersion {
        /// The event's type.
        event_type: &'static str,
        /// The version of the record.
        version: u32,
        /// The latest version that this program knows.
        latest: u32,
    },
    /// The value is not JSON.
    #[error("the value is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The data does not follow the schema of its version.
    #[error(transparent)]
    Schema(#[from] Violation),
    /// The data follows its schema, but cannot be read as the program's types. For example, `1.0` is an integer
    /// in JSON Schema.
    #[error("the data of {event_type} does not fit: {source}")]
    Unfit {
        /// The event's type.
        event_type: &'static str,
        /// The part that does not fit.
        source: serde_json::Error,
    },
    /// The key or the subject of the record differs from the subject of its data.
    #[error("the {what} is `{found}`, but the data is about `{expected}`")]
    Mismatch {
        /// `key` or `ce_subject`.
        what: &'static str,
        /// The subject of the data.
        expected: String,
        /// The key or the subject of the record.
        found: String,
    },
}

/// The record of an event.
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

/// The largest size of an event's headers, so that they are allocated once.
fn room(source: &str, key: &str, trace: &Trace) -> usize {
    /// The size of everything that is about as long in every event: names, framing, most values.
    const FIXED: usize = 352;
    let trace = [&trace.traceparent, &trace.tracestate];
    let trace: usize = trace.into_iter().flatten().map(String::len).sum();
    FIXED + source.len() + key.len() + trace
}

/// The event of a record. Its data is checked against the schema of its version, then converted to the latest
/// version.
///
/// # Errors
/// If the record's type is in this contract, but the record does not follow the contract.
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

/// Truncates a time, because other publishers may be more exact than what the databases store.
fn microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// The attributes of a `CloudEvent` in the headers of a record.
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
            return Err(invalid(SPEC_VERSION, "only 1.0 is supported"));
        }
        // Parameters such as a charset may follow. They do not matter: JSON is always UTF-8.
        let content_type = self.text(CONTENT_TYPE)?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            Ok(())
        } else {
            Err(invalid(CONTENT_TYPE, "only application/json is supported"))
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
                // A later version, written as versions are: `v01` is not.
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

/// The text for one line of a log: at most `longest` characters, without control characters.
fn line(text: &str, longest: usize) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(longest).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::{GameEvent, GameEventType};

    #[test]
    fn the_room_for_the_headers_of_an_event_is_enough_and_not_much_more() {
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
