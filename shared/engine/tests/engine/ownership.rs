//! Replicas that come and go on one outbox: who is alone sends from memory, and nothing is passed.

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

/// Those on a database that a second process may join.
async fn shareable() -> Vec<Rig> {
    rigs_with(Settings { exclusive: false, ..Settings::default() }).await
}

/// As a relay's loop does while there is nothing to send.
async fn pass(rig: &Rig, relay: &mut Relay, time: Duration) {
    for _ in 0..time.as_secs() {
        rig.clock.advance(POLL);
        relay.tidy().await.unwrap();
    }
}

async fn fails_for_company(rig: &Rig, engine: &Engine<Toy>) {
    let refused = engine
        .apply_batch(&[add(99, tally(9))], &mut UnconfirmedAnswers::<Toy>::new())
        .await
        .unwrap_err();
    assert!(matches!(refused, BatchError::Store(StoreError::Unmet)), "{refused}");
    assert_eq!(rig.tally(tally(9)).await, None, "nothing of it is there");
}

/// How many went out although their rows were hidden from whoever reads the table.
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
async fn who_is_alone_sends_from_memory_and_deletes_with_the_next_batch() {
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
        assert_eq!(rig.count("outbox_event").await, 1, "only the last one's");
    }
}

#[tokio::test]
async fn a_second_one_takes_the_outbox_and_once_both_work_they_share_it() {
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

        // The lease was the second one's when it got an end.
        assert_eq!(first.step().await.unwrap(), Sent::StandingBy);
        assert_eq!(sent_from_memory(&rig, &mut second).await, 0);
        send_all(&mut second).await;
        assert_eq!(first_occurrences(&rig.sent()), all);
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn what_another_committed_before_it_was_gone_is_sent_by_who_was_alone() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        let mut relay = rig.relay();
        assert_eq!(send_all(&mut relay).await, 0);
        let gone = rig.another();
        fails_for_company(&rig, &gone).await;
        apply(&gone, &[add(1, tally(1))]).await;
        assert_eq!(send_all(&mut relay).await, 0, "nobody has told it");
        relay.tidy().await.unwrap();
        assert_eq!(send_all(&mut relay).await, 1);
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

/// The former taker still has what it committed alone in memory, while the other goes on with the
/// same tally: whoever of the two sends first, nothing is passed.
#[tokio::test]
async fn what_lies_in_memory_passes_nothing_and_is_passed_by_nothing() {
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
async fn who_has_gone_without_a_word_is_followed_by_whoever_starts() {
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
async fn who_has_gone_without_a_word_is_followed_by_a_relay_that_finds_something_to_send() {
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
async fn after_a_while_of_sharing_whoever_sends_finds_out_whether_it_is_alone() {
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

/// Between two of its batches, and while it took itself to be alone for all of the first.
#[tokio::test]
async fn what_another_made_of_an_order_meanwhile_is_what_who_is_alone_again_goes_on_with() {
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
async fn who_is_alone_reads_a_row_anew_that_vanished() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        rig.apply(&[add(1, tally(1))]).await;
        rig.execute("delete from tally", vec![]).await;
        rig.apply(&[add(2, tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "add");
    }
}

#[tokio::test]
async fn who_stands_by_takes_nothing_however_long() {
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
async fn who_stops_lets_go_of_what_it_had_taken() {
    for rig in shareable().await {
        rig.engine.take_stock().await;
        rig.relay().release().await.unwrap();
        let other = rig.another();
        apply(&other, &[add(1, tally(1))]).await;
        assert_eq!(send_all(&mut rig.relay_of(&other)).await, 1);
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_process_for_ever() {
    let rig = Rig::new(Database::in_memory().await, Settings::default()).await;
    let mut relay = rig.relay();
    send_all(&mut relay).await;
    relay.tidy().await.unwrap();
    rig.apply(&[add(1, tally(1))]).await;
    assert_eq!(sent_from_memory(&rig, &mut relay).await, 1);
    assert_eq!(rig.count("lease").await, 0);
}
