//! Commands: their answers, their idempotency keys and their limits.

use std::{sync::Arc, time::Duration};

use clock::SeededRandom;
use event::Trace;
use futures::poll;
use quintet_engine::{
    CommandError, Commands, Engine, IdempotencyKey, Origin, Runtime, Sent, Settings, Surroundings,
};

use crate::{
    rig::{Rig, rigs, rigs_with},
    toy::{Add, Reply, Toy},
    work::{Works, add, command, keyed, tally, tell},
};

#[tokio::test]
async fn each_command_gets_its_own_answer() {
    for rig in rigs().await {
        let batch = [
            command(1, tally(1), 2),
            add(2, tally(1)),
            command(3, tally(1), 0),
            command(4, tally(1), 3),
            command(5, tally(1), Add::IS_NOT_ANSWERED),
        ];
        let answers = rig.apply(&batch).await.answers;
        let expected = [
            (0, Ok(Reply::Count(2))),
            (2, Ok(Reply::NothingToAdd)),
            (3, Ok(Reply::Count(6))),
            (4, Err(CommandError::Failed)),
        ];
        assert_eq!(answers, expected);
    }
}

#[tokio::test]
async fn a_key_gives_its_first_answer_to_the_same_body_and_refuses_another() {
    for rig in rigs().await {
        let first = rig.answers(&[keyed(1, tally(1), 5, "a")]).await;
        assert_eq!(first, [Ok(Reply::Count(5))]);
        rig.apply(&[command(2, tally(1), 1)]).await;
        let batch =
            [keyed(3, tally(1), 5, "a"), keyed(4, tally(1), 6, "a"), keyed(5, tally(1), 5, "b")];
        let expected = [Ok(Reply::Count(5)), Err(CommandError::KeyReused), Ok(Reply::Count(11))];
        assert_eq!(rig.answers(&batch).await, expected);
        assert_eq!(rig.tally(tally(1)).await.unwrap().count, 11);
        assert_eq!((rig.count("outbox_event").await, rig.count("idempotency_key").await), (3, 2));
    }
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_not_a_new_one() {
    for rig in rigs().await {
        assert_eq!(rig.answers(&[keyed(1, tally(1), 5, "a")]).await, [Ok(Reply::Count(5))]);
        let stored = vec![r#"{"Count":77}"#.into()];
        assert_eq!(rig.execute("update idempotency_key set reply = $1", stored).await, 1);
        assert_eq!(rig.answers(&[keyed(2, tally(1), 5, "a")]).await, [Ok(Reply::Count(77))]);
        let unreadable = vec!["a text of an unknown version".into()];
        rig.execute("update idempotency_key set reply = $1", unreadable).await;
        let error = rig.refused(&[keyed(3, tally(1), 5, "a")]).await;
        assert!(error.to_string().contains("a stored response"), "{error}");
    }
}

#[tokio::test]
async fn a_repeat_of_the_same_bytes_gets_the_answer_that_an_earlier_version_has_stored() {
    for rig in rigs().await {
        // An earlier version stored the hash of the bytes.
        let mut before = keyed(1, tally(1), 5, "a");
        key_of(&mut before).hash = key_of(&mut keyed(2, tally(1), 5, "a")).sent;
        assert_eq!(rig.answers(&[before]).await, [Ok(Reply::Count(5))]);
        let again = keyed(2, tally(1), 5, "a");
        assert_eq!(rig.answers(&[again]).await, [Ok(Reply::Count(5))]);
        let mut other = keyed(3, tally(1), 5, "a");
        key_of(&mut other).sent = [7; 32];
        assert_eq!(rig.answers(&[other]).await, [Err(CommandError::KeyReused)]);
    }
}

fn key_of(work: &mut Works) -> &mut IdempotencyKey {
    let Origin::Command(Some(key)) = &mut work.origin else { panic!("a command with a key") };
    key
}

#[tokio::test]
async fn two_commands_under_one_key_in_one_batch_are_carried_out_once() {
    for rig in rigs().await {
        let batch =
            [keyed(1, tally(1), 5, "a"), keyed(2, tally(1), 5, "a"), keyed(3, tally(1), 6, "a")];
        let expected = [Ok(Reply::Count(5)), Ok(Reply::Count(5)), Err(CommandError::KeyReused)];
        assert_eq!(rig.answers(&batch).await, expected);
        assert_eq!(rig.log(tally(1)).await, "command 5");
        assert_eq!(rig.count("outbox_event").await, 1);
    }
}

#[tokio::test]
async fn only_the_answer_of_a_successful_command_is_stored_under_its_key() {
    for rig in rigs().await {
        let refused = rig.answers(&[keyed(1, tally(1), 0, "a")]).await;
        assert_eq!(refused, [Ok(Reply::NothingToAdd)]);
        assert_eq!(rig.count("idempotency_key").await, 0);
        let batch = [keyed(2, tally(1), 0, "a"), keyed(3, tally(1), 4, "a")];
        let expected = [Ok(Reply::NothingToAdd), Ok(Reply::Count(4))];
        assert_eq!(rig.answers(&batch).await, expected);
    }
}

#[tokio::test]
async fn a_key_can_be_used_again_after_its_window_and_not_before() {
    for rig in rigs().await {
        let window = rig.settings.idempotency_window;
        rig.apply(&[keyed(1, tally(1), 5, "a")]).await;
        rig.clock.advance(window);
        assert_eq!(rig.answers(&[keyed(2, tally(1), 5, "a")]).await, [Ok(Reply::Count(5))]);
        rig.clock.advance(Duration::from_micros(1));
        assert_eq!(rig.answers(&[keyed(3, tally(1), 7, "a")]).await, [Ok(Reply::Count(12))]);
        assert_eq!(rig.answers(&[keyed(4, tally(1), 7, "a")]).await, [Ok(Reply::Count(12))]);
    }
}

#[tokio::test]
async fn keys_past_their_window_are_deleted() {
    for rig in rigs().await {
        rig.apply(&[keyed(1, tally(1), 5, "a")]).await;
        rig.clock.advance(rig.settings.idempotency_window);
        rig.apply(&[keyed(2, tally(1), 5, "b")]).await;
        assert_eq!(rig.engine.prune_idempotency_keys().await.unwrap(), 0);
        assert_eq!(rig.count("idempotency_key").await, 2);
        rig.clock.advance(Duration::from_micros(1));
        assert_eq!(rig.engine.prune_idempotency_keys().await.unwrap(), 1);
        assert_eq!(rig.count("idempotency_key").await, 1);
    }
}

/// A handle that sends commands. They wait, because the runtime does not run.
fn commands(rig: &Rig, engine: Engine<Toy>) -> (Runtime<Toy>, Commands<Toy>) {
    let around = Surroundings {
        bus: Arc::new(rig.bus.clone()),
        outside: rig.provider.clone(),
        random: Arc::new(SeededRandom::new(1)),
        topics: Vec::new(),
    };
    Runtime::new(engine, around)
}

#[tokio::test]
async fn more_commands_than_the_queue_holds_are_refused_at_once() {
    let settings = Settings { commands_queue: 2, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let (runtime, commands) = commands(&rig, rig.another());
        let send =
            || Box::pin(commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()));
        let (mut first, mut second) = (send(), send());
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert_eq!(send().await, Err(CommandError::Busy));
        drop(runtime);
        assert_eq!(first.await, Err(CommandError::Stopping));
        assert_eq!(send().await, Err(CommandError::Stopping));
    }
}

#[tokio::test]
async fn commands_are_refused_while_too_many_events_wait_for_the_broker() {
    let settings = Settings { outbox_limit: 3, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let engine = rig.another();
        let (runtime, commands) = commands(&rig, engine);
        let engine = runtime.engine();
        let send =
            || Box::pin(commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()));
        crate::rig::apply(&engine, &[add(1, tally(1)), add(2, tally(1))]).await;
        assert!(poll!(send()).is_pending());
        // Events are still applied.
        crate::rig::apply(&engine, &[add(3, tally(1)), add(4, tally(1))]).await;
        assert_eq!(send().await, Err(CommandError::OutboxFull));

        let mut relay = rig.relay_of(&engine);
        rig.bus.refuse_after(1);
        relay.step().await.unwrap_err();
        assert_eq!(send().await, Err(CommandError::OutboxFull));
        assert_eq!(relay.step().await.unwrap(), Sent::Some(3));
        assert!(poll!(send()).is_pending());
    }
}

#[tokio::test]
async fn events_that_another_replica_sent_no_longer_count_against_the_limit() {
    let settings = Settings { outbox_limit: 2, exclusive: false, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let (runtime, commands) = commands(&rig, rig.another());
        let engine = runtime.engine();
        let send =
            || Box::pin(commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()));
        let (mut sends, mut stands_by) = (rig.relay(), rig.relay_of(&engine));
        crate::rig::apply(&engine, &[add(1, tally(1)), add(2, tally(1))]).await;
        assert_eq!(sends.step().await.unwrap(), Sent::Some(2));
        assert_eq!(send().await, Err(CommandError::OutboxFull));
        stands_by.tidy().await.unwrap();
        assert!(poll!(send()).is_pending());
    }
}

#[tokio::test]
async fn events_that_another_replica_added_count_against_the_limit() {
    let settings = Settings { outbox_limit: 3, exclusive: false, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let (runtime, commands) = commands(&rig, rig.another());
        let engine = runtime.engine();
        let mut relay = rig.relay_of(&engine);
        crate::rig::apply(&engine, &[add(1, tally(1))]).await;
        assert_eq!(relay.step().await.unwrap(), Sent::Some(1));
        rig.apply(&[tell(2, tally(1), "burst 3")]).await;
        rig.bus.set_away(true);
        relay.step().await.unwrap_err();
        let refused =
            commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()).await;
        assert_eq!(refused, Err(CommandError::OutboxFull));
    }
}

#[tokio::test]
async fn a_full_read_of_the_outbox_is_not_taken_for_all_events_that_wait() {
    let settings = Settings { outbox_limit: 1_500, exclusive: false, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let (runtime, commands) = commands(&rig, rig.another());
        let engine = runtime.engine();
        crate::rig::apply(&engine, &[tell(1, tally(1), "burst 1500")]).await;
        rig.bus.set_away(true);
        rig.relay_of(&engine).step().await.unwrap_err();
        let refused =
            commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()).await;
        assert_eq!(refused, Err(CommandError::OutboxFull));
    }
}

#[tokio::test]
async fn a_wrong_count_of_the_outbox_is_corrected_once_the_count_stops_changing() {
    for rig in rigs_with(Settings { outbox_limit: 2, ..Settings::default() }).await {
        let (runtime, commands) = commands(&rig, rig.another());
        let engine = runtime.engine();
        let send =
            || Box::pin(commands.send(Add { tally_id: tally(1), by: 1 }, None, Trace::default()));
        let mut relay = rig.relay_of(&engine);
        crate::rig::apply(&engine, &[add(1, tally(1)), add(2, tally(1))]).await;
        assert_eq!(send().await, Err(CommandError::OutboxFull));
        rig.execute("delete from outbox", Vec::new()).await;
        relay.tidy().await.unwrap();
        assert_eq!(send().await, Err(CommandError::OutboxFull), "the events may be under way");
        relay.tidy().await.unwrap();
        assert!(poll!(send()).is_pending());
    }
}

#[tokio::test]
async fn a_repeat_at_another_replica_gets_the_stored_answer() {
    for rig in rigs().await {
        let other = rig.another();
        let first = crate::rig::apply(&other, &[keyed(1, tally(1), 5, "a")]).await;
        assert_eq!(crate::rig::answers(first), [Ok(Reply::Count(5))]);
        assert_eq!(rig.answers(&[keyed(2, tally(1), 5, "a")]).await, [Ok(Reply::Count(5))]);
    }
}
