//! The row of a dead letter: how a record goes into the table `dead_letter`, and how it comes out again.

use bus::Incoming;
use event::{ATTEMPT_HEADER, Contract, EventType, Headers, KeyOf, TopicSpec, TypeOf, derived};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Column, Json, Kind, Row, StoreError, Table, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Unreadable;
use crate::{Cause, Reason};

pub(crate) const TABLE: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "queue_id", kind: Kind::Uuid },
        Column { name: "aggregate_id", kind: Kind::Uuid },
        Column { name: "cause", kind: Kind::Text },
        Column { name: "summary", kind: Kind::Text },
        Column { name: "errors", kind: Kind::Text },
        Column { name: "event_type", kind: Kind::Text },
        Column { name: "topic", kind: Kind::Text },
        Column { name: "partition", kind: Kind::Int },
        Column { name: "record_offset", kind: Kind::Int },
        Column { name: "key", kind: Kind::Bytes },
        Column { name: "headers", kind: Kind::Text },
        Column { name: "value", kind: Kind::Bytes },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "first_at", kind: Kind::Int },
        Column { name: "last_at", kind: Kind::Int },
    ],
};

/// The columns that [`Attempt::of`] reads, in its order.
pub(crate) const RECORD: &str = "topic, partition, record_offset, key, headers, value, attempts";

/// Bytes, shown as text where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Raw {
    /// The bytes are UTF-8.
    Text(String),
    /// The bytes are not UTF-8.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Raw {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

/// A record on its way into the table.
#[derive(Debug, Clone)]
pub(crate) struct NewDeadLetter {
    pub(super) id: Uuid,
    /// The aggregate's id; `id`, where the record names no aggregate.
    pub(super) queue: Uuid,
    pub(super) aggregate: Option<Uuid>,
    pub(super) event_type: Option<&'static str>,
    pub(super) reason: Reason,
    pub(super) record: Incoming,
}

impl NewDeadLetter {
    /// The dead letter of a record that cannot be decoded.
    ///
    /// Its id follows from its topic, partition and offset, so that a record that the broker delivers twice is not two
    /// dead letters. The event id that the record claims is not used, since a good copy of the event has the same: the
    /// inbox or the queue would take one for the other.
    pub(crate) fn unreadable<C: Contract>(unreadable: &Unreadable) -> Self {
        let Unreadable { record, reason, .. } = unreadable.clone();
        let position = format!("{}/{}/{}", record.topic, record.partition, record.offset);
        let id = derived(Uuid::nil(), Uuid::nil(), &position, 0);
        let aggregate = aggregate_of::<C>(&record);
        let queue = aggregate.unwrap_or(id);
        let event_type = record.headers.text("ce_type");
        let event_type = event_type.and_then(|name| name.parse::<TypeOf<C>>().ok());
        let event_type = event_type.map(EventType::as_str);
        Self { id, queue, aggregate, event_type, reason, record }
    }

    /// The values of the columns of [`TABLE`]. A record that only waits behind another was not tried yet.
    pub(crate) fn row(&self, now: Timestamp) -> Vec<Value> {
        let Self { id, queue, aggregate, event_type, reason, record } = self;
        let attempts = i64::from(reason.cause != Cause::Behind);
        vec![
            (*id).into(),
            (*queue).into(),
            (*aggregate).into(),
            reason.cause.into(),
            reason.summary().into(),
            Value::json(&reason.errors),
            event_type.map(str::to_owned).into(),
            record.topic.clone().into(),
            i64::from(record.partition).into(),
            record.offset.into(),
            record.key.clone().into(),
            Value::json(&record.headers),
            record.value.clone().into(),
            attempts.into(),
            now.into(),
            now.into(),
        ]
    }
}

/// The aggregate that a record's key names. A record of a compacted topic belongs to no aggregate's history, even
/// if its key looks like an aggregate's id.
fn aggregate_of<C: Contract>(record: &Incoming) -> Option<Uuid> {
    let key = str::from_utf8(&record.key).ok();
    let key = key.filter(|_| !TopicSpec::is_compacted::<C>(&record.topic))?;
    key.parse::<KeyOf<C>>().ok().map(Into::into)
}

/// A dead letter as it is tried once more.
pub(crate) struct Attempt {
    /// The record. A header says which attempt this is.
    pub(super) record: Incoming,
    /// How often it was tried, this time included.
    pub(super) number: i64,
}

impl Attempt {
    /// Reads the columns [`RECORD`], which come first in the row.
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        let Json(stored): Json<Headers> = row.get(4)?;
        let number = row.get::<i64>(6)? + 1;
        let mut headers: Headers =
            stored.iter().filter(|(name, _)| *name != ATTEMPT_HEADER).collect();
        headers.push_display(ATTEMPT_HEADER, number);
        let record = Incoming {
            topic: row.get(0)?,
            partition: i32::try_from(row.get::<i64>(1)?).unwrap_or(i32::MAX),
            offset: row.get(2)?,
            key: row.get(3)?,
            headers,
            value: row.get(5)?,
        };
        Ok(Self { record, number })
    }
}
