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

/// So long that nobody gets there in a test.
const NEVER: Duration = Duration::from_hours(1);

async fn stage(settings: Settings) -> Option<Stage> {
    let rig = Rig::new(Database::on_postgres().await?, settings).await;
    Some(Stage::on(rig).await)
}

fn shared() -> Settings {
    Settings { exclusive: false, poll: Duration::from_millis(10), ..Settings::default() }
}

impl Stage {
    /// A replica on a broker in memory, which any number can use.
    fn replica(&self) -> Running {
        self.start_on(Arc::new(self.rig.bus.clone()), Toy::default())
    }

    /// Waits until the outbox has been taken so many times.
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

/// Has it commit until what it commits is sent; the first hints may find nobody who listens yet.
async fn until_it_is_sent(stage: &Stage, replica: &Running) {
    let before = stage.rig.sent().len();
    eventually("what it commits to be sent", async || {
        replica.add(tally(2), 1).await.unwrap();
        (stage.rig.sent().len() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_one_that_stands_by_commits_is_sent_by_the_holder_without_waiting_for_a_poll() {
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
async fn who_is_alone_and_has_tidied_up_hears_what_another_commits() {
    let settings = Settings { relay_poll: Duration::from_millis(20), lease: NEVER, ..shared() };
    let Some(stage) = stage(settings).await else { return };
    let other = stage.replica();
    stage.taken(1).await;
    let alone = stage.replica();
    stage.taken(2).await;
    alone.add(tally(1), 1).await.unwrap();
    stage.sends(&stage.rig.bus, 1).await;
    let deleted = async || (stage.rig.count("outbox_event").await == 0).then_some(());
    eventually("what was sent to be deleted", deleted).await;
    until_it_is_sent(&stage, &other).await;
    other.stop().await;
    alone.stop().await;
}

#[tokio::test]
async fn who_stops_in_order_sends_what_is_left_and_lets_go_at_once() {
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
async fn who_dies_is_followed_when_its_lease_ends() {
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
