//! The rows that a batch of requests may read or change. A few statements load and save them.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use crate::problem::Problem;

use super::{Keyed, Outcome, Request};

/// The kind of an entry.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A charge of money.
    Charge,
    /// A refund of money.
    Refund,
    /// The booking of a parcel.
    Booking,
}

/// A provider's definite answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the interface")]
pub enum Status {
    Captured,
    Declined,
    Refunded,
    Refused,
    Booked,
}

/// The first request under an idempotency key of one kind, and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its kind.
    pub kind: Kind,
    /// The key, unique within its kind.
    pub idempotency_key: String,
    /// The order it belongs to.
    pub order_id: String,
    /// The request in canonical form.
    pub request: String,
    /// Money in minor units; none for bookings.
    pub amount_minor: Option<i64>,
    /// Its currency.
    pub currency: Option<String>,
    /// The answer.
    pub status: Status,
    /// Why the provider refused, if it did.
    pub reason: Option<String>,
    /// The provider's reference or tracking number.
    pub reference: Option<String>,
    /// How many requests had this key.
    pub requests: i64,
    /// For charges: the amount that was refunded.
    pub refunded_minor: i64,
    /// For charges: how many refund keys are still to be refused.
    pub refusals_due: i64,
}

impl FromRow<'_, SqliteRow> for Entry {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            kind: word(row, "kind")?,
            idempotency_key: row.try_get("idempotency_key")?,
            order_id: row.try_get("order_id")?,
            request: row.try_get("request")?,
            amount_minor: row.try_get("amount_minor")?,
            currency: row.try_get("currency")?,
            status: word(row, "status")?,
            reason: row.try_get("reason")?,
            reference: row.try_get("reference")?,
            requests: row.try_get("requests")?,
            refunded_minor: row.try_get("refunded_minor")?,
            refusals_due: row.try_get("refusals_due")?,
        })
    }
}

/// A column that holds one of the words of an enum.
fn word<T>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err = strum::ParseError>,
{
    let word: &str = row.try_get(column)?;
    word.parse().map_err(|source| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(source),
    })
}

impl Entry {
    /// The entry of a key's first request, without the fields that only some kinds have.
    pub fn new<T>(kind: Kind, sent: &Keyed<T>, order_id: Uuid, status: Status) -> Self {
        Self {
            kind,
            idempotency_key: sent.key.clone(),
            order_id: order_id.to_string(),
            request: sent.request.clone(),
            amount_minor: None,
            currency: None,
            status,
            reason: None,
            reference: None,
            requests: 1,
            refunded_minor: 0,
            refusals_due: 0,
        }
    }
}

/// The rows of one batch.
#[derive(Debug, Default)]
pub struct Books {
    entries: BTreeMap<(Kind, String), Entry>,
    /// The idempotency keys of charges by their references.
    charges: BTreeMap<String, String>,
    turned_away: BTreeMap<String, i64>,
}

impl Books {
    /// Loads the rows that `requests` may touch.
    pub(super) async fn load<'r>(
        connection: &mut SqliteConnection,
        requests: impl Iterator<Item = &'r Request>,
    ) -> Result<Self, sqlx::Error> {
        let mut wanted = Wanted::default();
        requests.for_each(|request| wanted.add(request));

        let mut books = Self::default();
        for (kind, keys) in [
            (Kind::Charge, &wanted.charges),
            (Kind::Refund, &wanted.refunds),
            (Kind::Booking, &wanted.bookings),
        ] {
            if !keys.is_empty() {
                let rows = sqlx::query_as(
                    "select * from entry where kind = ? and idempotency_key in (select value from json_each(?))",
                );
                let rows = rows.bind(<&str>::from(kind)).bind(json(keys));
                books.take(rows.fetch_all(&mut *connection).await?);
            }
        }
        if !wanted.references.is_empty() {
            let rows = sqlx::query_as(
                "select * from entry where kind = 'charge' and reference is not null
                 and reference in (select value from json_each(?))",
            );
            let rows = rows.bind(json(&wanted.references));
            books.take(rows.fetch_all(&mut *connection).await?);
        }
        if !wanted.charges.is_empty() {
            let rows = sqlx::query_as(
                "select * from turned_away where idempotency_key in (select value from json_each(?))",
            );
            let rows: Vec<(String, i64)> =
                rows.bind(json(&wanted.charges)).fetch_all(connection).await?;
            books.turned_away.extend(rows);
        }
        Ok(books)
    }

    /// Writes everything back.
    pub(super) async fn save(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if !self.entries.is_empty() {
            let entries: Vec<&Entry> = self.entries.values().collect();
            sqlx::query(SAVE_ENTRIES).bind(json(&entries)).execute(&mut *connection).await?;
        }
        if !self.turned_away.is_empty() {
            let rows: Vec<(&String, &i64)> = self.turned_away.iter().collect();
            sqlx::query(
                "insert into turned_away select value ->> 0, value ->> 1 from json_each(?) where true
                 on conflict (idempotency_key) do update set times = excluded.times",
            )
            .bind(json(&rows))
            .execute(connection)
            .await?;
        }
        Ok(())
    }

    /// The answer to a key that was used before; counts one more request. `None` for a new key.
    pub fn repeat<T>(&mut self, kind: Kind, sent: &Keyed<T>) -> Option<Outcome> {
        let entry = self.entries.get_mut(&(kind, sent.key.clone()))?;
        if entry.request != sent.request {
            return Some(Outcome::Rejected(Problem::unprocessable(
                "Idempotency-Key",
                format!("the key {:?} was used with another body", sent.key),
                "send the first body again, or use a new key",
            )));
        }
        entry.requests += 1;
        Some(Outcome::Answered(entry.clone()))
    }

    /// All entries, by kind and key.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Records the first answer to a key.
    pub fn enter(&mut self, entry: Entry) -> Outcome {
        self.take(vec![entry.clone()]);
        Outcome::Answered(entry)
    }

    /// The captured charge with this reference.
    pub fn charge(&mut self, reference: &str) -> Option<&mut Entry> {
        let key = self.charges.get(reference)?.clone();
        self.entries.get_mut(&(Kind::Charge, key))
    }

    /// How often a charge with this key has failed by chance so far.
    pub fn turned_away(&mut self, key: &str) -> &mut i64 {
        self.turned_away.entry(key.to_owned()).or_default()
    }

    fn take(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let key = entry.idempotency_key.clone();
            if let (Kind::Charge, Some(reference)) = (entry.kind, &entry.reference) {
                self.charges.insert(reference.clone(), key.clone());
            }
            self.entries.insert((entry.kind, key), entry);
        }
    }
}

const SAVE_ENTRIES: &str = "
    insert into entry (kind, idempotency_key, order_id, request, amount_minor, currency, status, reason, reference,
                       requests, refunded_minor, refusals_due)
    select value ->> 'kind', value ->> 'idempotency_key', value ->> 'order_id', value ->> 'request',
           value ->> 'amount_minor', value ->> 'currency', value ->> 'status', value ->> 'reason',
           value ->> 'reference', value ->> 'requests', value ->> 'refunded_minor', value ->> 'refusals_due'
    from json_each(?) where true
    on conflict (kind, idempotency_key) do update
    set requests = excluded.requests, refunded_minor = excluded.refunded_minor, refusals_due = excluded.refusals_due";

#[derive(Default)]
struct Wanted<'r> {
    charges: Vec<&'r str>,
    refunds: Vec<&'r str>,
    bookings: Vec<&'r str>,
    references: Vec<&'r str>,
}

impl<'r> Wanted<'r> {
    fn add(&mut self, request: &'r Request) {
        match request {
            Request::Charge(sent) => self.charges.push(&sent.key),
            Request::Refund(sent) => {
                self.refunds.push(&sent.key);
                self.references.push(&sent.body.charge);
            }
            Request::Booking(sent) => self.bookings.push(&sent.key),
            Request::Mail(_) | Request::Faults(_) => {}
        }
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    // Never fails: the values are plain structs, strings and numbers.
    serde_json::to_string(value).unwrap_or_default()
}
