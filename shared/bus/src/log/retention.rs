//! Deletes old records, in small transactions so that publishers never wait for long.

use tokio::sync::Mutex;

use super::LogOptions;
use super::writer::Writer;
use crate::BusError;

/// How many records one transaction deletes at most.
const STEP: i64 = 1_000;

/// Deletes the oldest records, up to the first that is young enough or that a subscribed group has not read.
const EXPIRE: &str = "
with
floor as (
    select coalesce(min(coalesce(g.next, 0)), 9223372036854775807) as offset
    from subscription s
    left join group_offset g
        on g.\"group\" = s.\"group\" and g.topic = s.topic and g.partition = ?2
    where s.topic = ?1
),
oldest as (
    select offset, at from record
    where topic = ?1 and partition = ?2 and offset < (select offset from floor)
    order by offset limit ?4
)
delete from record
where topic = ?1 and partition = ?2
    and offset <= (select max(offset) from oldest)
    and offset < coalesce((select min(offset) from oldest where at >= ?3), 9223372036854775807)";

/// Deletes old records if a younger record has the same key.
const COMPACT: &str = "
delete from record
where topic = ?1 and partition = ?2 and offset in (
    select offset from record
    where topic = ?1 and partition = ?2 and at < ?3 and offset not in (
        select max(offset) from record where topic = ?1 and partition = ?2 group by key
    )
    order by offset limit ?4
)";

/// Deletes the records that the retention does not keep, and returns how many.
pub(super) async fn apply(writer: &Mutex<Writer>, options: &LogOptions) -> Result<u64, BusError> {
    let now = options.clock.now().as_millisecond();
    let keep = i64::try_from(options.retention.as_millis()).unwrap_or(i64::MAX);
    let before = now.saturating_sub(keep);
    let mut deleted_in_all = 0;
    for (topic, partition, compacted) in partitions(writer).await? {
        let statement = if compacted { COMPACT } else { EXPIRE };
        loop {
            // A transaction for each step, so that publishers get the lock in between.
            let mut writer = writer.lock().await;
            let mut transaction = writer.begin().await?;
            let deleted = sqlx::query(statement)
                .bind(&topic)
                .bind(partition)
                .bind(before)
                .bind(STEP)
                .execute(transaction.connection())
                .await
                .map_err(BusError::db)?
                .rows_affected();
            transaction.commit().await?;
            deleted_in_all += deleted;
            if deleted == 0 {
                break;
            }
        }
    }
    Ok(deleted_in_all)
}

/// The topic and number of each partition, and whether the topic is compacted.
async fn partitions(writer: &Mutex<Writer>) -> Result<Vec<(String, i32, bool)>, BusError> {
    let mut writer = writer.lock().await;
    let mut transaction = writer.begin().await?;
    let rows = sqlx::query_as(
        "select head.topic, head.partition, topic.compacted \
         from head join topic on topic.name = head.topic",
    )
    .fetch_all(transaction.connection())
    .await
    .map_err(BusError::db)?;
    Ok(rows)
}
