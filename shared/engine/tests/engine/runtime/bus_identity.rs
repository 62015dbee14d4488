//! A service works only with the bus that its database belongs to.

use std::sync::Arc;

use bus::PartitionState;
use quintet_engine::Fatal;
use testkit::{MemoryBus, eventually};
use uuid::Uuid;

use super::{Stage, stages};
use crate::{
    toy::{Reply, Toy},
    work::tally,
};

fn bus(id: u128, committed: Option<i64>) -> MemoryBus {
    let bus = MemoryBus::default();
    bus.set_identity(Uuid::from_u128(id));
    let topic = "questions".into();
    bus.set_partitions(vec![PartitionState { topic, partition: 3, low: 7, high: 20, committed }]);
    bus
}

/// Runs until the database knows the bus.
async fn meet(stage: &Stage, bus: &MemoryBus) {
    let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
    let known = async || (stage.rig.count("known_bus").await == 1).then_some(());
    eventually("the database to know the bus", known).await;
    running.stop().await;
}

#[tokio::test]
async fn a_database_does_not_serve_with_another_bus_and_sends_nothing_there() {
    for stage in stages().await {
        let (ours, others) = (bus(1, None), bus(2, None));
        // An event waits to be sent.
        ours.set_away(true);
        let running = stage.start_on(Arc::new(ours.clone()), Toy::default());
        assert_eq!(running.add(tally(1), 1).await, Ok(Reply::Count(1)));
        running.stop().await;
        ours.set_away(false);
        meet(&stage, &ours).await;
        let sent = ours.records().len();
        ours.set_away(true);
        let running = stage.start_on(Arc::new(ours.clone()), Toy::default());
        assert_eq!(running.add(tally(2), 1).await, Ok(Reply::Count(1)));
        running.stop().await;

        let running = stage.start_on(Arc::new(others.clone()), Toy::default());
        let fatal = running.ended().await.unwrap_err();
        assert!(matches!(fatal, Fatal::Stranger { .. }), "{fatal}");
        for said in ["belongs to the bus", "--fresh", &Uuid::from_u128(1).to_string()] {
            assert!(fatal.to_string().contains(said), "{said} is not in: {fatal}");
        }
        assert_eq!(others.records().len(), 0, "an event was sent to another bus");
        // With its own bus the service goes on.
        ours.set_away(false);
        let running = stage.start_on(Arc::new(ours.clone()), Toy::default());
        let all = async || (ours.records().len() > sent).then_some(());
        eventually("the rest to be sent", all).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_new_database_does_not_go_on_at_the_offsets_of_another_one() {
    for stage in stages().await {
        let running = stage.start_on(Arc::new(bus(1, Some(8))), Toy::default());
        let fatal = running.ended().await.unwrap_err();
        assert!(matches!(fatal, Fatal::Unread { partition: 3, next: 8, .. }), "{fatal}");
        assert!(fatal.to_string().contains("quintet rewind"), "{fatal}");
        // After a rewind, the service reads everything.
        meet(&stage, &bus(1, Some(7))).await;
    }
}

#[tokio::test]
async fn a_database_that_is_older_than_bus_ids_accepts_its_bus() {
    for stage in stages().await {
        let place = "insert into partition_registry (topic, partition) values ('payments', 3)";
        stage.rig.execute(place, vec![]).await;
        meet(&stage, &bus(1, Some(8))).await;
    }
}
