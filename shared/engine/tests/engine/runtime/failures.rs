use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bus::PartitionState;
use quintet_engine::{CommandError, Fatal};
use testkit::{MemoryBus, eventually};
use tokio::time::timeout;

use super::{Running, Stage, add, stages};
use crate::{
    toy::{Add, Reply, Toy},
    work::tally,
};

#[tokio::test]
async fn a_command_that_cannot_be_applied_is_refused_alone() {
    for stage in stages().await {
        let running = stage.start();
        let (before, poison, refused, after) = tokio::join!(
            running.add(tally(1), 1),
            running.add(tally(2), Add::PANICS),
            running.add(tally(3), -1),
            running.add(tally(4), 4),
        );
        assert_eq!(poison, Err(CommandError::Failed));
        assert_eq!(refused, Err(CommandError::Failed));
        assert_eq!((before, after), (Ok(Reply::Count(1)), Ok(Reply::Count(4))));
        assert_eq!(stage.rig.count("tally").await, 2);
        running.stop().await;
    }
}

/// Lets every batch fail from now on.
async fn break_database(stage: &Stage) {
    stage.rig.execute("alter table tally rename to away", vec![]).await;
}

async fn repair_database(stage: &Stage) {
    stage.rig.execute("alter table away rename to tally", vec![]).await;
}

/// Starts while the database fails, and waits until a batch was tried three times.
async fn start_in_vain(stage: &Stage) -> Running {
    break_database(stage).await;
    let toy = Toy::default();
    let loads = Arc::clone(&toy.loads);
    stage.publish(&[add(1, tally(1)), add(2, tally(1))]).await;
    let running = stage.start_toy(toy);
    let tried = async || (loads.load(Ordering::SeqCst) > 2).then_some(());
    eventually("the third attempt", tried).await;
    running
}

#[tokio::test]
async fn a_batch_is_retried_until_the_database_commits_it() {
    for stage in stages().await {
        let running = start_in_vain(&stage).await;
        let command = running.add(tally(2), 7);
        let repair = async {
            repair_database(&stage).await;
            stage.log_is(tally(1), "add, add").await;
        };
        let (answer, ()) = tokio::join!(command, repair);
        assert_eq!(answer, Ok(Reply::Count(7)));
        running.inputs_are(&*stage.bus, 3, 0).await;
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn a_command_under_way_is_answered_once_a_database_outage_begins() {
    for mut stage in stages().await {
        stage.rig.settings.outage_after = Duration::from_millis(100);
        break_database(&stage).await;
        let running = stage.start();
        // Without `outage_after`, the command would wait for half a minute.
        let answered = timeout(Duration::from_secs(20), running.add(tally(1), 7)).await;
        assert_eq!(answered.expect("an answer"), Err(CommandError::TimedOut));
        running.engine.ready(running.engine.db()).await.unwrap_err();
        assert_eq!(running.add(tally(2), 7).await, Err(CommandError::DatabaseOutage));
        repair_database(&stage).await;
        let ready = async || running.engine.ready(running.engine.db()).await.ok();
        eventually("the service to be ready", ready).await;
        assert_eq!(stage.rig.count("tally").await, 1, "the command was carried out nevertheless");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_service_waits_for_a_right_that_the_broker_denies() {
    for stage in stages().await {
        let bus = MemoryBus::default();
        bus.set_denied(true);
        let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
        let asked = async || (bus.denials() > 2).then_some(());
        eventually("the third attempt to join", asked).await;
        bus.set_denied(false);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_service_can_be_stopped_while_the_database_fails_and_loses_nothing() {
    for stage in stages().await {
        let running = start_in_vain(&stage).await;
        let commands = running.commands.clone();
        let add = Add { tally_id: tally(2), by: 7 };
        let command = commands.send(add, None, event::Trace::default());
        let (answer, ()) = tokio::join!(command, running.stop());
        assert_eq!(answer, Err(CommandError::Stopping));
        repair_database(&stage).await;

        let running = stage.start();
        stage.log_is(tally(1), "add, add").await;
        running.inputs_are(&*stage.bus, 2, 0).await;
        running.stop().await;
        assert_eq!(stage.rig.tally(tally(2)).await, None);
    }
}

#[tokio::test]
async fn a_service_that_missed_events_does_not_start() {
    for stage in stages().await {
        let bus = MemoryBus::default();
        let state = |low| {
            let topic = "questions".into();
            PartitionState { topic, partition: 3, low, high: 20, committed: Some(10) }
        };
        bus.set_partitions(vec![state(10), state(11)]);
        let fatal = stage.start_on(Arc::new(bus), Toy::default()).ended().await.unwrap_err();
        assert!(matches!(fatal, Fatal::Missed { next: 10, low: 11, partition: 3, .. }), "{fatal}");
        let text = fatal.to_string();
        for said in ["questions[3]", "toy-toy", "offset 10", "offset 11", "earliest"] {
            assert!(text.contains(said), "{said} is not in: {text}");
        }
    }
}

#[tokio::test]
async fn a_service_whose_topic_ends_before_its_offset_does_not_start() {
    for stage in stages().await {
        let bus = MemoryBus::default();
        let topic = "questions".into();
        let state = PartitionState { topic, partition: 3, low: 0, high: 9, committed: Some(10) };
        bus.set_partitions(vec![state]);
        let fatal = stage.start_on(Arc::new(bus), Toy::default()).ended().await.unwrap_err();
        assert!(matches!(fatal, Fatal::Ahead { next: 10, high: 9, partition: 3, .. }), "{fatal}");
    }
}

#[tokio::test]
async fn a_service_whose_offset_the_broker_has_forgotten_does_not_start() {
    for stage in stages().await {
        let bus = MemoryBus::default();
        let state = |partition, committed| {
            let topic = "questions".into();
            vec![PartitionState { topic, partition, low: 7, high: 20, committed }]
        };
        // The group never had an offset, so none is forgotten.
        bus.set_partitions(state(3, None));
        stage.start_on(Arc::new(bus.clone()), Toy::default()).stop().await;
        assert_eq!(stage.rig.count("partition_registry").await, 0);
        let noted = async |bus: &MemoryBus, places| {
            let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
            let noted =
                async || (stage.rig.count("partition_registry").await == places).then_some(());
            eventually("the partition to be registered", noted).await;
            running.stop().await;
        };
        bus.set_partitions(state(3, Some(10)));
        noted(&bus, 1).await;

        bus.set_partitions(state(3, None));
        let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
        let fatal = running.ended().await.unwrap_err();
        assert!(
            matches!(fatal, Fatal::Forgotten { partition: 3, low: 7, high: 20, .. }),
            "{fatal}"
        );
        // A new partition has no offset yet, and none is forgotten.
        bus.set_partitions([state(3, Some(7)), state(4, None), state(5, Some(9))].concat());
        noted(&bus, 2).await;
    }
}

#[tokio::test]
async fn while_the_broker_is_away_commands_are_carried_out_and_sent_later() {
    for stage in stages().await {
        let bus = MemoryBus::default();
        bus.set_away(true);
        let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
        assert_eq!(running.add(tally(1), 1).await, Ok(Reply::Count(1)));
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 1);

        let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
        assert_eq!(running.add(tally(1), 1).await, Ok(Reply::Count(2)));
        bus.set_away(false);
        eventually("two events to be sent", async || (bus.records().len() == 2).then_some(()))
            .await;
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn a_silent_broker_does_not_hold_up_the_stop() {
    for mut stage in stages().await {
        stage.rig.settings.drain = Duration::from_millis(100);
        let bus = MemoryBus::default();
        bus.fall_silent();
        let running = stage.start_on(Arc::new(bus.clone()), Toy::default());
        assert_eq!(running.add(tally(1), 1).await, Ok(Reply::Count(1)));
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 1);
    }
}

#[tokio::test]
async fn a_conflict_that_never_ends_does_not_hold_up_the_stop() {
    for stage in stages().await {
        // The index refuses a second tally with the same count. That is no race, but the database reports the same
        // conflict.
        stage.rig.execute("create unique index one_of_each on tally (count)", vec![]).await;
        let toy = Toy::default();
        let loads = Arc::clone(&toy.loads);
        let running = stage.start_toy(toy);
        stage.publish(&[add(1, tally(1)), add(2, tally(2))]).await;
        let tried = async || (loads.load(Ordering::SeqCst) > 23).then_some(());
        eventually("many attempts", tried).await;
        running.stop().await;

        stage.rig.execute("drop index one_of_each", vec![]).await;
        let running = stage.start();
        stage.log_is(tally(2), "add").await;
        stage.log_is(tally(1), "add").await;
        running.stop().await;
    }
}
