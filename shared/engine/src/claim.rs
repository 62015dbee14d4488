//! Taking due rows of a queue table so that no other replica takes them meanwhile.

use jiff::Timestamp;
use store::{Db, DbKind, Row, StoreError, Value};

/// A claimed row, unless this version cannot read it (a newer one may have written it): then it
/// stays in the table and does not hold up the others.
pub(crate) fn readable<T>(read: Result<T, StoreError>, what: &str) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "cannot read {what} that is due; it waits"))
        .ok()
}

/// Takes at most `limit` rows that are due at `now` by making them due at `until`, oldest first.
/// Answers `columns` of them. Looks before it writes, so that an idle service writes nothing.
pub(crate) async fn claim(
    db: &Db,
    table: &str,
    columns: &str,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let due = format!("select 1 from {table} where due_at <= $1 limit 1");
    if limit == 0 || db.fetch(&due, vec![now.into()]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let skip = match db.kind() {
        DbKind::Postgres => "for update skip locked",
        DbKind::Sqlite => "",
    };
    let sql = format!(
        "update {table} set due_at = $1 where id in \
         (select id from {table} where due_at <= $2 order by due_at limit $3 {skip}) \
         returning {columns}"
    );
    let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut tx = db.begin().await?;
    let rows = tx.fetch(&sql, vec![until.into(), now.into(), limit]).await?;
    tx.commit().await?;
    Ok(rows)
}
