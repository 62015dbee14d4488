//! Replicas that join and leave one outbox: a sole replica sends from memory, and no event overtakes another.

use std::time::Duration;

use event::EventId;
use quintet_engine::{BatchError, Engine, Relay, Sent, Settings, UnconfirmedAnswers};
use store::StoreError;
use testkit::Database;

use crate::{
    relay::{first_occurrences, send_all},
    rig::{Rig, apply, rigs_with},
    toy::Toy,
    work::{add, tally, tell},
};

const POLL: Duration = Duration::from_secs(1);

/// Rigs on databases that a second process may join.
async fn shareable() -> Vec<Rig> {
    rigs_with(Settings { exclusive: false, ..Settings::default() }).await
}

/// Lets time pass as the relay's loop does while there is nothing to send.
async fn pass(rig: &Rig, relay: &mut Relay, time: Duration) {
    for _ in 0..time.as_secs() {
        rig.clock.advance(POLL);
        relay.tidy().await.unwrap();
    }
}

/// Checks that the next batch of `engine` fails because of the other replica, and leaves nothing behind.
async fn fails_for_company(rig: &Rig, engine: &Engine<Toy>) {
    let refused = engine
        .apply_batch(&[add(99, tally(9))], &mut UnconfirmedAnswers::<Toy>::new())
        .await
        .unwrap_err();
    assert!(matches!(refused, BatchError::Store(StoreError::PreconditionFailed)), "{refused}");
    assert_eq!(rig.tally(tally(9)).await, None, "the failed batch leaves no row");
}

/// How many events the relay sends while their rows are hidden, so that a query does not find them.
async fn sent_from_memory(rig: &Rig, relay: &mut Relay) -> usize {
    rig.execute("create table hidden as select * from outbox", vec![]).await;
    rig.execute("delete from outbox", vec![]).await;
    let sent = send_all(relay).await;
    let columns = "first_event, event_count, events, created_at";
    let back = format!("insert into outbox ({columns}) select {columns} from hidden order by id");
    rig.execute(&back, vec![]).await;
    rig.execute("drop table hidden", vec![]).await;
    sent
}

#[tokio::test]
async fn a_sole_replica_sends_from_memory_and_deletes_with_the_next_batch() {
    for rig in shareable().await {
        let mut relay = rig.relay();
        rig.engine.take_stock().await;
        assert_eq!(send_all(&mut relay).await, 0);
        relay.tidy().await.unwrap();
        rig.apply(&[tell(1, tally(1), "burst 3")]).await;
        let all = rig.outbox().await;
        assert_eq!(sent_from_memory(&rig, &mut relay).await, all.len());
        assert_eq!(rig.sent(), all);
        rig.apply(&[add(2, tally(2))]).await;
        assert_eq!(rig.count("outbox_event").await, 1, "only the last batch's event");
    }
}

#[tokio::test]
async fn a_second_replica_takes_the_outbox_and_both_share_it_once_both_apply_batches() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        let mut first = rig.relay();
        rig.apply(&[tell(1, tally(1), "burst 2")]).await;
        let mut all = rig.outbox().await;

        let other = rig.another();
        other.take_stock().await;
        let mut second = rig.relay_of(&other);
        apply(&other, &[tell(2, tally(1), "burst 2")]).await;
        all.extend(rig.outbox().await.split_off(all.len()));
        fails_for_company(&rig, &rig.engine).await;
        rig.apply(&[tell(3, tally(1), "burst 2")]).await;
        fails_for_company(&rig, &other).await;
        apply(&other, &[tell(4, tally(1), "burst 2")]).await;
        all.extend(rig.outbox().await.split_off(all.len()));

        // The second replica held the lease when shared mode gave it an end.
        assert_eq!(first.step().await.unwrap(), Sent::StandingBy);
        assert_eq!(sent_from_memory(&rig, &mut second).await, 0);
        send_all(&mut second).await;
        assert_eq!(first_occurrences(&rig.sent()), all);
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn a_former_sole_replica_sends_what_another_committed_before_it_left() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        let mut relay = rig.relay();
        assert_eq!(send_all(&mut relay).await, 0);
        let gone = rig.another();
        fails_for_company(&rig, &gone).await;
        apply(&gone, &[add(1, tally(1))]).await;
        assert_eq!(send_all(&mut relay).await, 0, "it has received no hint");
        relay.tidy().await.unwrap();
        assert_eq!(send_all(&mut relay).await, 1);
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

/// The first replica still has events in memory that it committed in exclusive mode, while the second goes on with the
/// same tally. No event overtakes another, whichever of the two sends first.
#[tokio::test]
async fn events_in_memory_neither_overtake_others_nor_are_overtaken() {
    for former_first in [true, false] {
        for rig in shareable().await {
            rig.engine.take_stock().await;
            let mut first = rig.relay();
            send_all(&mut first).await;
            rig.apply(&[tell(1, tally(1), "burst 3")]).await;
            let other = rig.another();
            other.take_stock().await;
            let mut second = rig.relay_of(&other);
            apply(&other, &[tell(2, tally(1), "burst 3")]).await;
            let all = rig.outbox().await;
            for former in [former_first, !former_first] {
                send_all(if former { &mut first } else { &mut second }).await;
            }
            apply(&other, &[add(3, tally(1))]).await;
            send_all(&mut second).await;
            assert_eq!(first_occurrences(&rig.sent())[..all.len()], all);
            assert_eq!(first_occurrences(&rig.sent()).len(), all.len() + 1);
        }
    }
}

#[tokio::test]
async fn a_replica_that_starts_takes_over_the_outbox_of_one_that_died() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        rig.apply(&[tell(1, tally(1), "burst 2")]).await;
        let all: Vec<EventId> = rig.outbox().await;
        let next = rig.another();
        next.take_stock().await;
        assert_eq!(send_all(&mut rig.relay_of(&next)).await, all.len());
        assert_eq!(rig.sent(), all);
    }
}

#[tokio::test]
async fn a_relay_that_finds_events_to_send_takes_over_the_outbox_of_a_replica_that_died() {
    for rig in shareable().await {
        let idle = rig.another();
        let mut relay = rig.relay_of(&idle);
        rig.engine.take_stock().await;
        rig.apply(&[tell(1, tally(1), "burst 2")]).await;
        assert_eq!(relay.step().await.unwrap(), Sent::StandingBy);
        rig.age_lease(rig.settings.lease).await;
        assert!(matches!(relay.step().await.unwrap(), Sent::Some(_)));
        assert_eq!(rig.sent().len(), 2);
    }
}

#[tokio::test]
async fn after_a_minute_of_shared_mode_the_sender_checks_whether_it_is_the_sole_replica() {
    for rig in shareable().await {
        let mut relay = rig.relay();
        rig.apply(&[add(1, tally(1))]).await;
        send_all(&mut relay).await;
        pass(&rig, &mut relay, Duration::from_secs(59)).await;
        apply(&rig.another(), &[add(2, tally(1))]).await;
        rig.apply(&[add(3, tally(1))]).await;
        assert_eq!(sent_from_memory(&rig, &mut relay).await, 0);
        send_all(&mut relay).await;
        pass(&rig, &mut relay, Duration::from_secs(2)).await;
        fails_for_company(&rig, &rig.another()).await;
    }
}

/// The other replica commits between two batches of the first one, which was the sole replica before.
#[tokio::test]
async fn a_replica_that_is_sole_again_goes_on_with_the_changes_that_another_made() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        let mut relay = rig.relay();
        rig.apply(&[add(1, tally(1))]).await;
        let other = rig.another();
        fails_for_company(&rig, &other).await;
        apply(&other, &[add(2, tally(1))]).await;
        relay.tidy().await.unwrap();
        send_all(&mut relay).await;
        pass(&rig, &mut relay, Duration::from_secs(61)).await;
        rig.apply(&[add(3, tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "add, add, add");
        fails_for_company(&rig, &rig.another()).await;
    }
}

#[tokio::test]
async fn a_sole_replica_reads_a_row_again_that_vanished() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        rig.apply(&[add(1, tally(1))]).await;
        rig.execute("delete from tally", vec![]).await;
        rig.apply(&[add(2, tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "add");
    }
}

#[tokio::test]
async fn a_standby_never_takes_the_outbox_from_a_replica_that_sends() {
    for rig in shareable().await {
        let (mut sends, mut stands_by) = (rig.relay(), rig.relay_of(&rig.another()));
        rig.apply(&[add(1, tally(1))]).await;
        assert_eq!(sends.step().await.unwrap(), Sent::Some(1));
        pass(&rig, &mut stands_by, Duration::from_secs(61)).await;
        rig.apply(&[add(2, tally(1))]).await;
        assert_eq!(send_all(&mut sends).await, 1);
    }
}

#[tokio::test]
async fn a_replica_that_stops_releases_the_outbox() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        rig.relay().release().await.unwrap();
        let other = rig.another();
        apply(&other, &[add(1, tally(1))]).await;
        assert_eq!(send_all(&mut rig.relay_of(&other)).await, 1);
    }
}

#[tokio::test]
async fn a_file_database_always_has_a_sole_replica() {
    let rig = Rig::new(Database::in_memory().await, Settings::default()).await;
    let mut relay = rig.relay();
    send_all(&mut relay).await;
    relay.tidy().await.unwrap();
    rig.apply(&[add(1, tally(1))]).await;
    assert_eq!(sent_from_memory(&rig, &mut relay).await, 1);
    assert_eq!(rig.count("lease").await, 0);
}
