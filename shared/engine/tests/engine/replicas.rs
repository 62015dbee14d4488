//! Two engines on one PostgreSQL database. SQLite has one writer.

use std::sync::{Arc, Mutex};

use quintet_engine::{BatchError, Poison, Settings, UnconfirmedAnswers};
use store::Class;
use testkit::{Database, eventually};
use tokio::sync::Barrier;

use crate::{
    dead_letters::{apply_until_committed, fix, poison},
    rig::{Rig, apply},
    toy::{ALARM, Reply, Toy},
    work::{Works, add, arm, ask, keyed, outcome, ring, tally},
};

async fn rig() -> Option<Rig> {
    let settings = Settings { exclusive: false, ..Settings::default() };
    Some(Rig::new(Database::on_postgres().await?, settings).await)
}

/// `slow` loads its rows, then `fast` commits, then `slow` goes on.
async fn overtaken(rig: &Rig, slow: &[Works], fast: &[Works]) -> Result<(), BatchError> {
    let barrier = Arc::new(Barrier::new(2));
    let interruption = Mutex::new(Some(Arc::clone(&barrier)));
    let engine = rig.another_of(Toy { interruption, ..Toy::default() });
    let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
    let overtaking = async {
        barrier.wait().await;
        rig.apply(fast).await;
        barrier.wait().await;
    };
    let (applied, ()) = tokio::join!(engine.apply_batch(slow, &mut unconfirmed), overtaking);
    applied.map(drop)
}

fn is_conflict(result: Result<(), BatchError>) -> bool {
    matches!(result, Err(BatchError::Store(error)) if error.class() == Class::Conflict)
}

#[tokio::test]
async fn of_two_batches_that_missed_a_row_the_second_is_refused_and_then_sees_it() {
    let Some(rig) = rig().await else { return };
    let (slow, fast) = ([add(1, tally(1)), add(2, tally(2))], [add(3, tally(1))]);
    assert!(is_conflict(overtaken(&rig, &slow, &fast).await));
    assert_eq!(rig.tally(tally(1)).await.unwrap().count, 1);
    assert_eq!(rig.tally(tally(2)).await, None);

    assert_eq!(apply(&rig.another(), &slow).await.duplicates, 0);
    assert_eq!(rig.tally(tally(1)).await.unwrap().count, 2);
    assert_eq!(rig.count("outbox_event").await, 3);
}

#[tokio::test]
async fn two_replicas_carry_out_a_command_of_one_key_once() {
    let Some(rig) = rig().await else { return };
    let (slow, fast) = ([keyed(1, tally(1), 5, "a")], [keyed(2, tally(2), 5, "a")]);
    assert!(is_conflict(overtaken(&rig, &slow, &fast).await));
    assert_eq!(rig.answers(&slow).await, [Ok(Reply::Count(5))]);
    assert_eq!(rig.tally(tally(1)).await, None);
    assert_eq!(rig.tally(tally(2)).await.unwrap().count, 5);
}

#[tokio::test]
async fn two_replicas_apply_one_alarm_and_one_outcome_once() {
    let Some(rig) = rig().await else { return };
    let other = rig.another();
    rig.apply(&[arm(1, tally(1)), ask(2, tally(2))]).await;
    rig.clock.advance(ALARM);
    let batch = || [ring(tally(1)), outcome(tally(2), 7)];
    let (ours, theirs) = (batch(), batch());
    let (mut first, mut second) =
        (UnconfirmedAnswers::<Toy>::new(), UnconfirmedAnswers::<Toy>::new());
    let (one, two) = tokio::join!(
        rig.engine.apply_batch(&ours, &mut first),
        other.apply_batch(&theirs, &mut second)
    );
    assert_eq!(one.unwrap().duplicates + two.unwrap().duplicates, 2);
    assert_eq!(rig.log(tally(1)).await, "arm, ring");
    assert_eq!(rig.log(tally(2)).await, "ask, answer 7");
    assert_eq!(rig.count("outbox_event").await, 2);
}

#[tokio::test]
async fn an_event_delivered_to_two_replicas_at_once_is_applied_once() {
    let Some(rig) = rig().await else { return };
    let other = rig.another();
    for number in 0..20 {
        let batch = [add(number, tally(1))];
        let (mut ours, mut theirs) =
            (UnconfirmedAnswers::<Toy>::new(), UnconfirmedAnswers::<Toy>::new());
        let (one, two) = tokio::join!(
            rig.engine.apply_batch(&batch, &mut ours),
            other.apply_batch(&batch, &mut theirs)
        );
        assert_eq!(one.unwrap().duplicates + two.unwrap().duplicates, 1);
    }
    assert_eq!(rig.tally(tally(1)).await.unwrap().count, 20);
    assert_eq!(rig.count("outbox_event").await, 20);
}

#[tokio::test]
async fn batches_with_the_same_tallies_in_opposite_orders_all_commit() {
    let Some(rig) = rig().await else { return };
    let rig = &rig;
    let replica = |offset: u128| async move {
        let engine = rig.another();
        for round in 0..20 {
            // The inputs come in opposite orders, but all batches take the locks in one order.
            let tallies: Vec<u128> =
                if offset == 0 { (1..=8).collect() } else { (1..=8).rev().collect() };
            let number = |tally_id| offset + round * 10 + tally_id;
            let batch: Vec<_> = tallies.iter().map(|n| add(number(*n), tally(*n))).collect();
            let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
            while let Err(error) = engine.apply_batch(&batch, &mut unconfirmed).await {
                let BatchError::Store(error) = error else { panic!("{error}") };
                assert_eq!(error.class(), Class::Conflict, "{error}");
            }
        }
    };
    tokio::join!(replica(0), replica(1_000), replica(2_000));
    for number in 1..=8 {
        assert_eq!(rig.tally(tally(number)).await.unwrap().count, 60);
    }
    assert_eq!(rig.count("outbox_event").await, 480);
}

#[tokio::test]
async fn an_order_that_two_replicas_park_at_once_has_one_queue_with_both_dead_letters() {
    let Some(rig) = rig().await else { return };
    let other = rig.another();
    for number in (0..40).step_by(2) {
        let of = tally(number + 1);
        let (ours, theirs) = ([poison(number, of)], [poison(number + 1, of)]);
        tokio::join!(
            apply_until_committed(&rig.engine, &ours, Poison::default()),
            apply_until_committed(&other, &theirs, Poison::default()),
        );
        assert_eq!(rig.dead_letter_queue(of).await.dead_letters.len(), 2);
    }
    assert_eq!(rig.count("dead_letter_queue").await, 20);
}

#[tokio::test]
async fn an_event_that_arrives_while_the_last_dead_letter_is_replayed_is_applied() {
    let Some(rig) = rig().await else { return };
    rig.apply_until_committed(&[poison(1, tally(1))]).await;
    rig.apply(&[fix(2, tally(1))]).await;
    rig.engine.replay(tally(1).into()).await.unwrap();
    let dead_letters = rig.engine.replays().step::<Toy>().await.unwrap();

    let barrier = Arc::new(Barrier::new(2));
    let interruption = Mutex::new(Some(Arc::clone(&barrier)));
    let replaying = rig.another_of(Toy { interruption, ..Toy::default() });
    let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
    let meanwhile = async {
        barrier.wait().await;
        let later = [add(3, tally(1))];
        let coming = rig.apply(&later);
        let going_on = async {
            let sql = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
            let waits = async || (rig.number(sql).await > 0).then_some(());
            eventually("the event to wait for the lock of the queue", waits).await;
            barrier.wait().await;
        };
        tokio::join!(coming, going_on).0
    };
    let (replayed, came) =
        tokio::join!(replaying.apply_batch(&dead_letters, &mut unconfirmed), meanwhile);
    assert_eq!((replayed.unwrap().duplicates, came.parked), (0, 0));
    assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add");
    assert_eq!(rig.count("dead_letter_queue").await, 0);
}

#[tokio::test]
async fn a_replica_that_knew_of_no_parked_order_sees_what_another_has_parked() {
    let Some(rig) = rig().await else { return };
    // Both replicas have learned that nothing is parked, and so insert optimistically.
    let other = rig.another();
    rig.apply(&[add(1, tally(3))]).await;
    apply(&other, &[add(2, tally(3))]).await;

    rig.apply_until_committed(&[poison(3, tally(1))]).await;
    let (applied, _) =
        apply_until_committed(&other, &[add(4, tally(1)), add(5, tally(2))], Poison::default())
            .await;
    assert_eq!(applied.parked, 1);
    assert_eq!((rig.log(tally(1)).await, rig.log(tally(2)).await), (String::new(), "add".into()));
}

#[tokio::test]
async fn an_event_that_joins_its_queue_during_a_replay_is_replayed_too() {
    let Some(rig) = rig().await else { return };
    rig.apply_until_committed(&[poison(1, tally(1))]).await;
    rig.apply(&[fix(2, tally(1))]).await;
    rig.engine.replay(tally(1).into()).await.unwrap();
    let dead_letters = rig.engine.replays().step::<Toy>().await.unwrap();
    // Another replica gets the lock of the queue before the batch of the replay does.
    let (joined, _) =
        apply_until_committed(&rig.another(), &[add(3, tally(1))], Poison::default()).await;
    assert_eq!(joined.parked, 1);

    rig.apply(&dead_letters).await;
    assert_eq!(rig.log(tally(1)).await, "command 100, unfixed");
    let rest = rig.engine.replays().step::<Toy>().await.unwrap();
    assert_eq!(rest.len(), 1, "the queue is due again without a further request");
    rig.apply(&rest).await;
    assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add");
    rig.nothing_is_parked().await;
}

/// During an upgrade, replicas of the previous version work on tables that migrations 11 and 12 have renamed.
#[tokio::test]
async fn the_former_names_of_renamed_tables_still_work() {
    let Some(rig) = rig().await else { return };
    let note = "insert into place (topic, partition) values ('payments', 3) on conflict do nothing";
    assert_eq!(rig.execute(note, vec![]).await, 1);
    assert_eq!(rig.execute(note, vec![]).await, 0);
    assert_eq!(rig.count("partition_registry").await, 1);

    rig.apply_until_committed(&[poison(1, tally(1))]).await;
    let claim = "update parked set due_at = 1 where id in \
                 (select id from parked where since > 0 for update skip locked)";
    assert_eq!(rig.execute(claim, vec![]).await, 1);
    assert_eq!(rig.execute("delete from parked where due_at = 1", vec![]).await, 1);
    assert_eq!(rig.count("dead_letter_queue").await, 0);
}
