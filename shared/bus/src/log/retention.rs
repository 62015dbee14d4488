//! Deleting old records, in small transactions so that nobody waits long.

use tokio::sync::Mutex;

use super::LogOptions;
use super::writer::Writer;
use crate::BusError;

/// Records deleted in one transaction at most.
const STEP: i64 = 1_000;

/// The oldest records, up to the first that is young enough or that a group has yet to read.
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

/// Old records with a younger one of the same key.
const COMPACT: &str = "
delete from record
where topic = ?1 and partition = ?2 and offset in (
    select offset from record
    where topic = ?1 and partition = ?2 and at < ?3 and offset not in (
        select max(offset) from record where topic = ?1 and partition = ?2 group by key
    )
    order by offset limit ?4
)";

/// Deletes what has had its time; returns how many records went.
pub(super) async fn apply(writer: &Mutex<Writer>, options: &LogOptions) -> Result<u64, BusError> {
    let now = options.clock.now().as_millisecond();
    let keep = i64::try_from(options.retention.as_millis()).unwrap_or(i64::MAX);
    let before = now.saturating_sub(keep);
    let mut gone = 0;
    for (topic, partition, compacted) in partitions(writer).await? {
        let statement = if compacted { COMPACT } else { EXPIRE };
        loop {
            // A turn for every step: publishers get in between.
            let mut writer = writer.lock().await;
            let mut turn = writer.begin().await?;
            let deleted = sqlx::query(statement)
                .bind(&topic)
                .bind(partition)
                .bind(before)
                .bind(STEP)
                .execute(turn.connection())
                .await
                .map_err(BusError::db)?
                .rows_affected();
            turn.commit().await?;
            gone += deleted;
            if deleted == 0 {
                break;
            }
        }
    }
    Ok(gone)
}

/// Topic, partition, and whether the topic is compacted.
async fn partitions(writer: &Mutex<Writer>) -> Result<Vec<(String, i32, bool)>, BusError> {
    let mut writer = writer.lock().await;
    let mut turn = writer.begin().await?;
    let rows = sqlx::query_as(
        "select head.topic, head.partition, topic.compacted \
         from head join topic on topic.name = head.topic",
    )
    .fetch_all(turn.connection())
    .await
    .map_err(BusError::db)?;
    Ok(rows)
}
