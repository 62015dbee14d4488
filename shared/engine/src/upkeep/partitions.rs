//! The partition registry: the partitions in which the consumer group once had an offset.
//!
//! A broker forgets the offsets of a group that is away for long (Kafka after seven days, unless
//! `offsets.retention.minutes` says otherwise), and those of a topic that is deleted. A service that then began at the
//! first record would silently skip the records that were deleted before it read them. So the service registers in its
//! own database in which partitions it had an offset.

use bus::PartitionState;
use store::{Db, StoreError, Value};

/// Returns the first registered partition whose offset the broker has forgotten. If there is none, registers all
/// partitions that have an offset.
pub(crate) async fn forgotten<'s>(
    db: &Db,
    states: &'s [PartitionState],
) -> Result<Option<&'s PartitionState>, StoreError> {
    let rows = db.fetch("select topic, partition from partition_registry", Vec::new()).await?;
    let known = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
    let known: Vec<(String, i64)> = known.collect::<Result<_, StoreError>>()?;
    let is_known = |state: &PartitionState| {
        let same = |(topic, partition): &(String, i64)| {
            *topic == state.topic && *partition == i64::from(state.partition)
        };
        known.iter().any(same)
    };
    let mut forgotten = states.iter().filter(|state| state.committed.is_none());
    if let Some(forgotten) = forgotten.find(|state| is_known(state)) {
        return Ok(Some(forgotten));
    }
    let new = states.iter().filter(|state| state.committed.is_some() && !is_known(state));
    note(db, new).await.map(|()| None)
}

async fn note(db: &Db, states: impl Iterator<Item = &PartitionState>) -> Result<(), StoreError> {
    let sql =
        "insert into partition_registry (topic, partition) values ($1, $2) on conflict do nothing";
    let mut tx = db.begin().await?;
    for state in states {
        let values =
            vec![Value::Text(state.topic.clone().into()), i64::from(state.partition).into()];
        tx.execute(sql, values).await?;
    }
    tx.commit().await
}
