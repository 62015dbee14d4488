use bus::Incoming;
use event::{ATTEMPT_HEADER, Contract, EventType, Headers, KeyOf, TopicSpec, TypeOf, derived};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Column, Json, Kind, Row, StoreError, Table, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Cause, Reason};

pub(super) const TABLE: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "lane", kind: Kind::Uuid },
        Column { name: "aggregate_id", kind: Kind::Uuid },
        Column { name: "cause", kind: Kind::Text },
        Column { name: "summary", kind: Kind::Text },
        Column { name: "errors", kind: Kind::Text },
        Column { name: "event_type", kind: Kind::Text },
        Column { name: "topic", kind: Kind::Text },
        Column { name: "partition", kind: Kind::Int },
        Column { name: "place", kind: Kind::Int },
        Column { name: "key", kind: Kind::Bytes },
        Column { name: "headers", kind: Kind::Text },
        Column { name: "value", kind: Kind::Bytes },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "first_at", kind: Kind::Int },
        Column { name: "last_at", kind: Kind::Int },
    ],
};

/// The columns that [`record`] reads, in its order.
pub(super) const RECORD: &str = "topic, partition, place, key, headers, value, attempts";

/// Bytes, readable where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Raw {
    /// They are UTF-8.
    Text(String),
    /// They are not.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Raw {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

/// A record that cannot be understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// As it came.
    pub record: Incoming,
    /// What is wrong with it.
    pub reason: Reason,
}

/// A record on its way into the table.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) lane: Uuid,
    pub(super) aggregate: Option<Uuid>,
    pub(super) event_type: Option<&'static str>,
    pub(super) reason: Reason,
    pub(super) record: Incoming,
}

impl Letter {
    /// Its id is that of its place, whatever id it claims: a good copy under the same id must not be
    /// taken for it.
    pub(super) fn unreadable<C: Contract>(Unreadable { record, reason }: Unreadable) -> Self {
        let place = format!("{}/{}/{}", record.topic, record.partition, record.offset);
        let id = derived(Uuid::nil(), Uuid::nil(), &place, 0);
        let aggregate = aggregate_of::<C>(&record);
        let lane = aggregate.unwrap_or(id);
        let event_type = record.headers.text("ce_type");
        let event_type = event_type.and_then(|name| name.parse::<TypeOf<C>>().ok());
        let event_type = event_type.map(EventType::as_str);
        Self { id, lane, aggregate, event_type, reason, record }
    }

    pub(super) fn row(&self, now: Timestamp) -> Vec<Value> {
        let Self { id, lane, aggregate, event_type, reason, record } = self;
        let attempts = i64::from(reason.cause != Cause::Behind);
        vec![
            (*id).into(),
            (*lane).into(),
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

/// What lies on a compacted topic is no part of an aggregate's history, whatever its key looks like.
fn aggregate_of<C: Contract>(record: &Incoming) -> Option<Uuid> {
    let key = str::from_utf8(&record.key).ok();
    let key = key.filter(|_| !TopicSpec::is_compacted::<C>(&record.topic))?;
    key.parse::<KeyOf<C>>().ok().map(Into::into)
}

/// The record of a letter as it goes to its next attempt: a header says how many there were with it.
pub(super) fn record(row: &Row, first: usize) -> Result<(Incoming, i64), StoreError> {
    let Json(kept): Json<Headers> = row.get(first + 4)?;
    let attempt = row.get::<i64>(first + 6)? + 1;
    let mut headers: Headers = kept.iter().filter(|(name, _)| *name != ATTEMPT_HEADER).collect();
    headers.push_display(ATTEMPT_HEADER, attempt);
    let record = Incoming {
        topic: row.get(first)?,
        partition: i32::try_from(row.get::<i64>(first + 1)?).unwrap_or(i32::MAX),
        offset: row.get(first + 2)?,
        key: row.get(first + 3)?,
        headers,
        value: row.get(first + 5)?,
    };
    Ok((record, attempt))
}
