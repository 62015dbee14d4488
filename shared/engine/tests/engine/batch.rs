//! One transaction per batch.

use event::EventId;
use quintet_engine::{Answer, BatchError, CommandError, UnconfirmedAnswers};
use store::Class;

use crate::{
    rig::{answers, apply, rigs},
    toy::{Reply, Toy},
    work::{add, arm, ask, command, disarm, outcome, tally, tell},
};

#[tokio::test]
async fn a_batch_changes_rows_inbox_and_outbox_together() {
    for rig in rigs().await {
        let (one, two) = (tally(1), tally(2));
        let applied =
            rig.apply(&[add(1, one), add(2, two), add(3, one), ask(4, one), arm(5, two)]).await;
        assert_eq!((applied.duplicates, applied.answers.len()), (0, 0));
        assert_eq!(rig.log(one).await, "add, add, ask");
        assert_eq!(rig.tally(two).await.unwrap().count, 1);
        for (table, rows) in [("inbox", 5), ("outbox_event", 3), ("effect", 1), ("alarm", 1)] {
            assert_eq!(rig.count(table).await, rows, "{table}");
        }
    }
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    for rig in rigs().await {
        for (culprit, expected) in [("panic", None), ("refuse", Some(Class::Data))] {
            let batch =
                [add(1, tally(1)), ask(2, tally(1)), arm(3, tally(1)), command(4, tally(3), 1)];
            let mut batch = Vec::from(batch);
            batch.push(tell(5, tally(2), culprit));
            let class = match rig.refused(&batch).await {
                BatchError::Store(error) => Some(error.class()),
                BatchError::Poison { .. } => None,
            };
            assert_eq!(class, expected);
            for table in ["tally", "inbox", "outbox_event", "effect", "alarm", "idempotency_key"] {
                assert_eq!(rig.count(table).await, 0, "{table}");
            }
        }
        assert_eq!(rig.relay().step().await.unwrap(), quintet_engine::Sent::Nothing);
        assert!(rig.effects().step().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_empty_batch_can_be_applied() {
    for rig in rigs().await {
        let applied = rig.apply(&[]).await;
        assert!(applied.positions.is_empty() && applied.answers.is_empty());
    }
}

#[tokio::test]
async fn an_event_is_applied_once_however_often_it_arrives() {
    for rig in rigs().await {
        let twice = rig.apply(&[add(1, tally(1)), add(2, tally(1)), add(1, tally(1))]).await;
        assert_eq!(twice.duplicates, 1);
        let again = rig.apply(&[add(2, tally(1)), add(3, tally(1)), add(1, tally(1))]).await;
        assert_eq!(again.duplicates, 2);
        let elsewhere = apply(&rig.another(), &[add(3, tally(1))]).await;
        assert_eq!(elsewhere.duplicates, 1);
        assert_eq!(rig.tally(tally(1)).await.unwrap().count, 3);
        assert_eq!((rig.count("inbox").await, rig.count("outbox_event").await), (3, 3));
    }
}

#[tokio::test]
async fn the_positions_are_the_furthest_of_each_partition_duplicates_included() {
    for rig in rigs().await {
        let moved = |mut work: crate::work::Works, to: i32| {
            if let quintet_engine::Origin::Event(record) = &mut work.origin {
                record.partition = to;
            }
            work
        };
        rig.apply(&[add(7, tally(1))]).await;
        let batch =
            [add(5, tally(1)), moved(add(3, tally(2)), 1), add(7, tally(1)), add(6, tally(1))];
        let positions = rig.apply(&batch).await.positions;
        let positions: Vec<_> = positions.iter().map(|at| (at.partition, at.next)).collect();
        assert_eq!(positions, [(0, 8), (1, 4)]);
    }
}

#[tokio::test]
async fn an_outcome_is_applied_once_and_dropped_when_its_effect_is_gone() {
    for rig in rigs().await {
        assert_eq!(rig.apply(&[outcome(tally(1), 5)]).await.duplicates, 1);
        assert_eq!(rig.tally(tally(1)).await, None);

        rig.apply(&[ask(1, tally(1))]).await;
        let twice = [outcome(tally(1), 5), outcome(tally(1), 5)];
        assert_eq!(rig.apply(&twice).await.duplicates, 1);
        assert_eq!(rig.apply(&twice).await.duplicates, 2);
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
        assert_eq!((rig.count("effect").await, rig.count("outbox_event").await), (0, 1));
    }
}

#[tokio::test]
async fn an_outcome_ends_the_requests_before_it_and_not_those_after_it() {
    for rig in rigs().await {
        rig.apply(&[ask(1, tally(1)), ask(2, tally(2))]).await;
        let batch =
            [ask(3, tally(1)), outcome(tally(1), 1), outcome(tally(2), 2), ask(4, tally(2))];
        rig.apply(&batch).await;
        let left = rig.db.fetch("select aggregate_id from effect", vec![]).await.unwrap();
        let left: Vec<testkit::toy::TallyId> = left.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(left, [tally(2)]);
    }
}

#[tokio::test]
async fn the_same_cause_emits_the_same_ids_even_after_the_inbox_was_wiped() {
    for rig in rigs().await {
        let batch = || [add(1, tally(1)), tell(2, tally(1), "burst 3"), command(3, tally(2), 4)];
        rig.apply(&batch()).await;
        let first = rig.outbox().await;
        assert_eq!(first.len(), 5);
        for table in ["inbox", "outbox", "tally"] {
            rig.execute(&format!("delete from {table}"), vec![]).await;
        }
        assert_eq!(rig.apply(&batch()).await.duplicates, 0);
        assert_eq!(rig.outbox().await, first);
        let distinct: std::collections::BTreeSet<EventId> = first.into_iter().collect();
        assert_eq!(distinct.len(), 5);
    }
}

#[tokio::test]
async fn a_batch_whose_commit_was_unknown_gets_the_answers_that_were_committed() {
    for rig in rigs().await {
        let batch = [
            add(1, tally(1)),
            command(2, tally(1), 10),
            command(3, tally(1), 0),
            command(4, tally(2), 7),
        ];
        let expected: [Answer<Toy>; 3] =
            [Ok(Reply::Count(11)), Ok(Reply::NothingToAdd), Ok(Reply::Count(7))];
        let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
        let first = rig.engine.apply_batch(&batch, &mut unconfirmed).await.unwrap();
        assert_eq!(answers(first), expected);
        let (outbox, log) = (rig.outbox().await, rig.log(tally(1)).await);

        let again = rig.engine.apply_batch(&batch, &mut unconfirmed).await.unwrap();
        assert_eq!(again.duplicates, 4);
        assert_eq!(again.positions.len(), 1);
        assert_eq!(answers(again), expected);
        assert_eq!((rig.outbox().await, rig.log(tally(1)).await), (outbox, log));

        // Without the unconfirmed answers, the engine cannot know what was answered.
        assert_eq!(rig.answers(&batch).await, vec![Err(CommandError::Failed); 3]);
    }
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing_and_the_batch_can_be_applied_again() {
    for rig in rigs().await {
        let mut relay = rig.relay();
        rig.execute("delete from gate", vec![]).await;
        let batch = [add(1, tally(1)), tell(2, tally(1), "burst 2"), command(3, tally(1), 2)];
        let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
        let error = rig.engine.apply_batch(&batch, &mut unconfirmed).await.unwrap_err();
        assert!(matches!(error, BatchError::Store(_)), "{error}");
        for table in ["tally", "inbox", "outbox_event"] {
            assert_eq!(rig.count(table).await, 0, "{table}");
        }
        assert_eq!(relay.step().await.unwrap(), quintet_engine::Sent::Nothing);

        rig.execute("insert into gate values (1)", vec![]).await;
        let applied = rig.engine.apply_batch(&batch, &mut unconfirmed).await.unwrap();
        assert_eq!(applied.duplicates, 0);
        assert_eq!(answers(applied), [Ok(Reply::Count(3))]);
        let outbox = rig.outbox().await;
        assert_eq!(relay.step().await.unwrap(), quintet_engine::Sent::Some(4));
        assert_eq!(relay.step().await.unwrap(), quintet_engine::Sent::Nothing);
        assert_eq!(rig.sent(), outbox);
    }
}

#[tokio::test]
async fn an_alarm_that_was_cleared_or_set_again_earlier_in_the_batch_does_not_ring() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1)), arm(2, tally(2)), arm(3, tally(3))]).await;
        rig.clock.advance(crate::toy::ALARM);
        let ringing = rig.engine.alarms().step::<Toy>().await.unwrap();
        assert_eq!(ringing.len(), 3);
        let mut batch = vec![disarm(4, tally(1)), arm(5, tally(2))];
        batch.extend(ringing);
        rig.apply(&batch).await;
        assert_eq!(rig.log(tally(1)).await, "arm, disarm");
        assert_eq!(rig.log(tally(2)).await, "arm, arm");
        assert_eq!(rig.log(tally(3)).await, "arm, ring");
        assert_eq!(rig.count("alarm").await, 1);
    }
}
