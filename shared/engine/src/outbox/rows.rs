//! The table `outbox`. A row holds the events that a batch emitted: with a row for each event PostgreSQL takes
//! three times as long. The view `outbox_event` shows them one by one.

use bus::record_bytes;
use event::{Encoded, EventId};
use jiff::Timestamp;
use store::{Column, Condition, Db, Json, Kind, Row, StoreError, Table, Tx, Value};

use super::{SentRows, queue::QueuedRow};
use crate::depth::{Depth, by_id, read_depth};

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

/// A row: events of one batch.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    /// The id of its first event, which finds the row. SQLite gives a row's own id again once the table is empty.
    pub(crate) id: EventId,
    pub(crate) events: Vec<Encoded>,
}

/// How many events these rows hold.
pub(crate) fn count(rows: &[OutboxRow]) -> usize {
    rows.iter().map(QueuedRow::event_count).sum()
}

impl OutboxRow {
    pub(crate) fn event_ids(&self) -> Vec<EventId> {
        self.events.iter().map(|event| event.id).collect()
    }
}

impl QueuedRow for OutboxRow {
    fn event_count(&self) -> usize {
        self.events.len()
    }
}

/// The size of an event's record, as the broker counts it.
pub(crate) fn bytes(event: &Encoded) -> usize {
    record_bytes(&event.key, &event.headers, event.value.get().as_bytes())
}

/// Packs the events of a batch into rows.
pub(crate) fn pack(events: Vec<Encoded>) -> Vec<OutboxRow> {
    let mut rows: Vec<OutboxRow> = Vec::new();
    let mut filled = 0;
    for event in events {
        let more = bytes(&event);
        match rows.last_mut() {
            Some(row) if filled < ROW_BYTES => row.events.push(event),
            _ => {
                filled = 0;
                rows.push(OutboxRow { id: event.id, events: vec![event] });
            }
        }
        filled += more;
    }
    rows
}

/// Adds the rows of a batch, and deletes rows that were sent.
pub(crate) async fn change(
    tx: &mut Tx,
    added: &[OutboxRow],
    sent: &SentRows,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = added.iter().map(|OutboxRow { id, events }| {
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        vec![(*id).into(), count.into(), now.into(), Value::json(events)]
    });
    tx.exchange(&TABLE, rows.collect(), keys(sent)).await
}

pub(crate) async fn delete(tx: &mut Tx, rows: &SentRows) -> Result<(), StoreError> {
    tx.discard(TABLE.name, "first_event", Kind::Uuid, keys(rows)).await
}

/// Deletes rows that were sent, if the lease is still the caller's. Returns whether it is.
pub(crate) async fn delete_fenced(
    db: &Db,
    rows: &SentRows,
    fence: Condition,
) -> Result<bool, StoreError> {
    Ok(db.discard_if(&TABLE, keys(rows), fence).await? == rows.len())
}

fn keys(rows: &SentRows) -> Vec<Value> {
    rows.keys().map(|row| (*row).into()).collect()
}

/// The oldest rows, as many as hold `limit` events, or all.
pub(crate) async fn oldest(db: &Db, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = "select first_event, events from outbox where id <= ( \
                   select max(id) from ( \
                       select id, sum(event_count) over (order by id) - event_count as before \
                       from (select id, event_count from outbox order by id limit $1) as oldest \
                   ) as counted where before < $1 \
               ) order by id";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.fetch(sql, vec![Value::Int(limit)]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    let Json(events) = row.get(1)?;
    Ok(OutboxRow { id: row.get(0)?, events })
}

/// How many events there are, and how old the oldest is.
pub(crate) async fn depth(db: &Db, now: Timestamp) -> Result<Depth, StoreError> {
    let sql = format!(
        "select cast(coalesce(sum(event_count), 0) as bigint), min(created_at) from {}",
        by_id(TABLE.name, "event_count, created_at")
    );
    read_depth(db.fetch(&sql, Vec::new()).await?.first(), now)
}
