//! Taking due rows of a queue table so that no other replica takes them meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use store::{Db, DbKind, Row, StoreError, Value};

use crate::settings::{Moment, later};

/// A claimed row, unless this version cannot read it (a newer one may have written it): then it
/// stays in the table and does not hold up the others.
pub(crate) fn readable<T>(read: Result<T, StoreError>, what: &str) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "cannot read {what} that is due; it waits"))
        .ok()
}

/// How often a queue table is searched for rows that a wrong clock has put off.
const MEND_EVERY: Duration = Duration::from_mins(1);

/// Makes rows due that are put off for longer than any pause allows. A clock that was wrong has written them, here or
/// at another replica; without this they would wait until the right clock shows that time too.
#[derive(Debug, Default)]
pub(crate) struct Mender {
    /// When to look next, in microseconds of the steady clock.
    next: AtomicU64,
}

impl Mender {
    /// Looks at once when called first, then every minute.
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

/// Makes due now what is due later than that.
pub(crate) async fn make_due(db: &Db, rows: Rows<'_>, than: Later) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let Rows { table, condition } = rows;
    let sql = format!("update {table} set due_at = $1 where due_at > $2 and {condition}");
    tx.execute(&sql, vec![than.now.into(), later(than.now, than.by).into()]).await?;
    tx.commit().await
}

/// Which rows are taken, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) table: &'a str,
    /// What is returned of each row.
    pub(crate) columns: &'a str,
    /// What holds of a row, besides that it is due.
    pub(crate) condition: &'a str,
    /// When the claim ends.
    pub(crate) until: Timestamp,
    /// How many rows, at most.
    pub(crate) limit: usize,
}

/// Takes rows that are due by making them due when the claim ends, oldest first. Looks before it writes, so that
/// an idle service writes nothing.
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
