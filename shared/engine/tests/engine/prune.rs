//! The inbox is pruned of ids by the broker's low watermarks.

use std::{sync::Arc, time::Duration};

use bus::PartitionState;
use quintet_engine::Origin;
use testkit::record_at;

use crate::{
    rig::{Rig, rigs},
    work::{Works, add, command, tally},
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn partition(topic: &str, low: i64, high: i64) -> PartitionState {
    PartitionState { topic: topic.into(), partition: 0, low, high, committed: Some(high) }
}

/// Like [`add`], but from a compacted topic.
fn listed(number: u128) -> Works {
    let offset = i64::try_from(number).unwrap();
    Works { origin: Origin::Event(record_at("notices", offset)), ..add(number, tally(1)) }
}

impl Rig {
    async fn prune(&self) -> u64 {
        self.engine.pruner(Arc::new(self.bus.clone())).step().await.unwrap()
    }

    /// The numbers of the events and commands in the inbox.
    async fn inbox(&self) -> Vec<u128> {
        let rows = self.db.fetch("select id from inbox order by id", vec![]).await.unwrap();
        rows.iter().map(|row| row.get::<uuid::Uuid>(0).unwrap().as_u128()).collect()
    }
}

#[tokio::test]
async fn ids_that_a_topic_can_still_bring_are_kept_and_the_others_deleted() {
    for rig in rigs().await {
        rig.apply(&[add(1, tally(1)), add(2, tally(2)), command(3, tally(1), 5)]).await;
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 0, 10), partition("ends", 0, 7)]);
        assert_eq!(rig.prune().await, 0);
        rig.apply(&[add(11, tally(3))]).await;
        rig.clock.advance(2 * DAY);

        // One topic still has records from before the mark.
        rig.bus.set_partitions(vec![partition("sums", 10, 20), partition("ends", 6, 7)]);
        assert_eq!(rig.prune().await, 0);
        rig.bus.set_partitions(vec![partition("sums", 10, 20), partition("ends", 7, 7)]);
        assert_eq!(rig.prune().await, 3);
        assert_eq!(rig.inbox().await, [11]);
        // An event in the inbox is not applied again.
        assert_eq!(rig.apply(&[add(11, tally(3))]).await.duplicates, 1);
        assert_eq!(rig.log(tally(3)).await, "add");
    }
}

#[tokio::test]
async fn an_id_that_came_again_is_kept_until_the_copy_is_gone_too() {
    for rig in rigs().await {
        rig.apply(&[add(1, tally(1)), add(2, tally(1))]).await;
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 0, 10)]);
        rig.prune().await;
        // The publisher's relay has sent the event again, behind the mark.
        assert_eq!(rig.apply(&[add(1, tally(1))]).await.duplicates, 1);
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 10, 11)]);
        assert_eq!(rig.prune().await, 1);
        assert_eq!(rig.inbox().await, [1]);
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 11, 11)]);
        assert_eq!(rig.prune().await, 1);
        assert_eq!(rig.count("inbox_mark").await, 2, "marks that are no longer needed are deleted");
        assert!(rig.inbox().await.is_empty());
    }
}

#[tokio::test]
async fn ids_from_a_compacted_topic_are_kept_for_ever() {
    for rig in rigs().await {
        rig.apply(&[listed(1), add(2, tally(1))]).await;
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 0, 10)]);
        rig.prune().await;
        assert_eq!(rig.apply(&[listed(1)]).await.duplicates, 1);
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 10, 10)]);
        assert_eq!(rig.prune().await, 1);
        assert_eq!(rig.inbox().await, [1]);
    }
}

#[tokio::test]
async fn an_id_that_came_shortly_before_a_mark_is_kept_until_a_later_mark() {
    for rig in rigs().await {
        rig.apply(&[add(1, tally(1))]).await;
        rig.clock.advance(23 * HOUR);
        rig.bus.set_partitions(vec![partition("sums", 10, 10)]);
        for pruned in [0, 0, 0] {
            assert_eq!(rig.prune().await, pruned);
            rig.clock.advance(HOUR);
        }
        assert_eq!(rig.prune().await, 1);
    }
}

#[tokio::test]
async fn pruning_deletes_more_rows_than_one_transaction_does() {
    for rig in rigs().await {
        for thousand in 0..6_u128 {
            let numbers = thousand * 1_000 + 1..=(thousand + 1) * 1_000;
            let batch: Vec<Works> = numbers.map(|number| add(number, tally(1))).collect();
            rig.apply(&batch).await;
        }
        rig.apply(&[listed(9_999)]).await;
        rig.clock.advance(2 * DAY);
        rig.bus.set_partitions(vec![partition("sums", 10_000, 10_000)]);
        assert_eq!(rig.prune().await, 0);
        assert_eq!(rig.prune().await, 6_000);
        assert_eq!(rig.inbox().await, [9_999]);
    }
}
