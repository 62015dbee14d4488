//! Several running replicas on one PostgreSQL database.

use std::{sync::Arc, time::Duration};

use quintet_engine::Settings;
use testkit::{Database, MemoryBus, eventually};

use super::{Running, Stage, advance};
use crate::{
    rig::Rig,
    toy::Toy,
    work::{add, tally},
};

/// Longer than any test runs.
const NEVER: Duration = Duration::from_hours(1);

async fn stage(settings: Settings) -> Option<Stage> {
    let rig = Rig::new(Database::on_postgres().await?, settings).await;
    Some(Stage::on(rig).await)
}

fn shared() -> Settings {
    Settings { exclusive: false, poll: Duration::from_millis(10), ..Settings::default() }
}

impl Stage {
    /// Starts a replica on the broker in memory, which any number of replicas can use.
    fn replica(&self) -> Running {
        self.start_on(Arc::new(self.rig.bus.clone()), Toy::default())
    }

    /// Waits until the outbox has been taken `times` times.
    async fn taken(&self, times: i64) {
        let count = "select coalesce(max(token), 0) from lease";
        let taken = async || (self.rig.number(count).await == times).then_some(());
        eventually("the outbox to be taken", taken).await;
    }

    async fn sends(&self, bus: &MemoryBus, count: usize) {
        let sent = async || {
            advance(&self.rig.clock);
            (bus.records().len() >= count).then_some(())
        };
        eventually(&format!("{count} events to be sent"), sent).await;
    }
}

/// Has the replica commit until its events are sent. The first hints may be lost, because the holder does not listen
/// yet.
async fn until_it_is_sent(stage: &Stage, replica: &Running) {
    let before = stage.rig.sent().len();
    eventually("the events of the replica to be sent", async || {
        replica.add(tally(2), 1).await.unwrap();
        (stage.rig.sent().len() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_holder_sends_what_a_standby_commits_without_waiting_for_a_poll() {
    let settings = Settings { relay_poll: NEVER, lease: NEVER, ..shared() };
    let Some(stage) = stage(settings).await else { return };
    let (holder, standby) = (stage.replica(), stage.replica());
    holder.add(tally(1), 1).await.unwrap();
    stage.sends(&stage.rig.bus, 1).await;
    until_it_is_sent(&stage, &standby).await;
    standby.stop().await;
    holder.stop().await;
    assert_eq!(stage.rig.count("outbox_event").await, 0);
}

#[tokio::test]
async fn a_sole_replica_that_has_tidied_the_outbox_hears_what_another_commits() {
    let settings = Settings { relay_poll: Duration::from_millis(20), lease: NEVER, ..shared() };
    let Some(stage) = stage(settings).await else { return };
    let other = stage.replica();
    stage.taken(1).await;
    let sole = stage.replica();
    stage.taken(2).await;
    sole.add(tally(1), 1).await.unwrap();
    stage.sends(&stage.rig.bus, 1).await;
    let deleted = async || (stage.rig.count("outbox_event").await == 0).then_some(());
    eventually("the rows of sent events to be deleted", deleted).await;
    until_it_is_sent(&stage, &other).await;
    other.stop().await;
    sole.stop().await;
}

#[tokio::test]
async fn an_orderly_stop_sends_the_rest_and_releases_the_lease_at_once() {
    let settings = Settings { relay_poll: NEVER, lease: NEVER, ..shared() };
    let Some(stage) = stage(settings).await else { return };
    let next = stage.replica();
    stage.taken(1).await;
    let holder = stage.replica();
    stage.taken(2).await;
    holder.add(tally(1), 1).await.unwrap();
    stage.sends(&stage.rig.bus, 1).await;
    stage.rig.bus.set_away(true);
    holder.add(tally(1), 1).await.unwrap();
    stage.rig.bus.set_away(false);
    holder.stop().await;
    assert_eq!(stage.rig.count("outbox_event").await, 0);
    next.add(tally(2), 1).await.unwrap();
    stage.sends(&stage.rig.bus, 3).await;
    next.stop().await;
}

#[tokio::test]
async fn a_replica_takes_over_from_a_dead_one_when_the_lease_ends() {
    let settings = Settings {
        relay_poll: Duration::from_millis(20),
        lease: Duration::from_millis(300),
        ..shared()
    };
    let Some(stage) = stage(settings).await else { return };
    let rig = &stage.rig;
    let mut dead = rig.relay();
    rig.apply(&[add(1, tally(1))]).await;
    dead.step().await.unwrap();
    rig.apply(&[add(2, tally(1))]).await;
    let next = stage.replica();
    stage.sends(&rig.bus, 2).await;
    next.stop().await;
    assert_eq!(rig.count("outbox_event").await, 0);
}
