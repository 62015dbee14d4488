//! Claims due rows of a queue table, so that no other replica takes them meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use store::{Db, DbKind, Row, StoreError, Value};

use crate::settings::{Moment, later};

/// A claimed row. `None` if this version cannot read it, perhaps because a newer one wrote it: the row stays in the
/// table and does not hold up the others.
pub(crate) fn readable<T>(read: Result<T, StoreError>, what: &str) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "cannot read {what} that is due; it waits"))
        .ok()
}

/// How often a queue table is searched for rows that a wrong clock has put off.
const MEND_EVERY: Duration = Duration::from_mins(1);

/// Makes rows due that are put off for longer than any pause allows. A process with a wrong clock wrote them, here or
/// at another replica. Without this they would wait until the right clock reaches that time.
#[derive(Debug, Default)]
pub(crate) struct Mender {
    /// When to search next, in microseconds of the steady clock.
    next: AtomicU64,
}

impl Mender {
    /// Searches on the first call, and then at most every minute.
    pub(crate) async fn mend(
        &self,
        db: &Db,
        rows: Rows<'_>,
        now: Moment,
        longest: Duration,
    ) -> Result<(), StoreError> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if micros(now.steady) < self.next.load(Ordering::Relaxed) {
            return Ok(());
        }
        make_due(db, rows, Later { now: now.wall, by: longest }).await?;
        self.next.store(micros(now.steady + MEND_EVERY), Ordering::Relaxed);
        Ok(())
    }
}

/// Rows of a queue table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a str,
    pub(crate) condition: &'a str,
}

/// A time that lies `by` after `now`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Later {
    pub(crate) now: Timestamp,
    pub(crate) by: Duration,
}

/// Makes rows due now that would be due later than `than`.
pub(crate) async fn make_due(db: &Db, rows: Rows<'_>, than: Later) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let Rows { table, condition } = rows;
    let sql = format!("update {table} set due_at = $1 where due_at > $2 and {condition}");
    tx.execute(&sql, vec![than.now.into(), later(than.now, than.by).into()]).await?;
    tx.commit().await
}

/// Which rows to claim, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) table: &'a str,
    /// The columns to return.
    pub(crate) columns: &'a str,
    /// The SQL condition that a row must meet, besides being due.
    pub(crate) condition: &'a str,
    /// When the claim ends.
    pub(crate) until: Timestamp,
    /// The most rows to claim.
    pub(crate) limit: usize,
}

/// Claims rows that are due, oldest first, by moving their due times to the end of the claim. It queries before it
/// writes, so that an idle service writes nothing.
pub(crate) async fn claim(
    db: &Db,
    wanted: Claim<'_>,
    now: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    let Claim { table, columns, condition, until, limit } = wanted;
    let due = format!("select 1 from {table} where due_at <= $1 and {condition} limit 1");
    if limit == 0 || db.fetch(&due, vec![now.into()]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let skip = match db.kind() {
        DbKind::Postgres => "for update skip locked",
        DbKind::Sqlite => "",
    };
    let sql = format!(
        "update {table} set due_at = $1 where id in \
         (select id from {table} where due_at <= $2 and {condition} order by due_at limit $3 {skip}) \
         returning {columns}"
    );
    let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut tx = db.begin().await?;
    let rows = tx.fetch(&sql, vec![until.into(), now.into(), limit]).await?;
    tx.commit().await?;
    Ok(rows)
}
