//! The outbox's rows. One holds the events that a batch emitted: a row an event takes PostgreSQL three
//! times as long. The view `outbox_event` shows them one by one.

use bus::record_bytes;
use event::{Encoded, EventId};
use jiff::Timestamp;
use store::{Column, Db, Json, Kind, Row, StoreError, Table, Tx, Value};

use crate::{
    handoff::Rows,
    status::{Depth, by_id, read_depth},
};

const TABLE: Table = Table {
    name: "outbox",
    columns: &[
        Column { name: "first_event", kind: Kind::Uuid },
        Column { name: "event_count", kind: Kind::Int },
        Column { name: "created_at", kind: Kind::Int },
        Column { name: "events", kind: Kind::Text },
    ],
};

/// A row whose records have so many bytes takes no further one.
const ROW_BYTES: usize = 1 << 20;

/// Events that share a row.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Finds the row: the id of its first event. Not the row's own, which SQLite gives again once the
    /// table is empty.
    pub(crate) row: EventId,
    pub(crate) events: Vec<Encoded>,
}

/// How many events they hold.
pub(crate) fn count<'a>(bundles: impl IntoIterator<Item = &'a Bundle>) -> usize {
    bundles.into_iter().map(|bundle| bundle.events.len()).sum()
}

impl Bundle {
    pub(crate) fn ids(&self) -> Vec<EventId> {
        self.events.iter().map(|event| event.id).collect()
    }
}

/// What an event's record has.
pub(crate) fn bytes(event: &Encoded) -> usize {
    record_bytes(&event.key, &event.headers, event.value.get().as_bytes())
}

/// What a batch emitted, by rows.
pub(crate) fn bundles(events: Vec<Encoded>) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    let mut filled = 0;
    for event in events {
        let more = bytes(&event);
        match bundles.last_mut() {
            Some(bundle) if filled < ROW_BYTES => bundle.events.push(event),
            _ => {
                filled = 0;
                bundles.push(Bundle { row: event.id, events: vec![event] });
            }
        }
        filled += more;
    }
    bundles
}

/// Adds what is ready to be sent, and deletes what was sent.
pub(crate) async fn change(
    tx: &mut Tx,
    ready: &[Bundle],
    sent: &Rows,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = ready.iter().map(|Bundle { row, events }| {
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        vec![(*row).into(), count.into(), now.into(), Value::json(events)]
    });
    tx.exchange(&TABLE, rows.collect(), ("first_event", Kind::Uuid, keys(sent))).await
}

pub(crate) async fn delete(tx: &mut Tx, rows: &Rows) -> Result<(), StoreError> {
    tx.discard(TABLE.name, "first_event", Kind::Uuid, keys(rows)).await
}

/// Deletes what the broker has, while this fence holds; whether it did.
pub(crate) async fn delete_fenced(
    db: &Db,
    rows: &Rows,
    fence: (&str, Vec<Value>),
) -> Result<bool, StoreError> {
    let key = (TABLE.name, "first_event", Kind::Uuid);
    Ok(db.discard_if(key, keys(rows), fence).await? == rows.len())
}

fn keys(rows: &Rows) -> Vec<Value> {
    rows.keys().map(|row| (*row).into()).collect()
}

/// The oldest rows, as many as hold `limit` events, or all.
pub(crate) async fn oldest(db: &Db, limit: usize) -> Result<Vec<Bundle>, StoreError> {
    let sql = "select first_event, events from outbox where id <= ( \
                   select max(id) from ( \
                       select id, sum(event_count) over (order by id) - event_count as before \
                       from (select id, event_count from outbox order by id limit $1) as oldest \
                   ) as counted where before < $1 \
               ) order by id";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.fetch(sql, vec![Value::Int(limit)]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Bundle, StoreError> {
    let Json(events) = row.get(1)?;
    Ok(Bundle { row: row.get(0)?, events })
}

/// How many events there are, and how old the oldest is.
pub(crate) async fn depth(db: &Db, now: Timestamp) -> Result<Depth, StoreError> {
    let sql = format!(
        "select cast(coalesce(sum(event_count), 0) as bigint), min(created_at) from {}",
        by_id(TABLE.name, "event_count, created_at")
    );
    read_depth(db.fetch(&sql, Vec::new()).await?.first(), now)
}
