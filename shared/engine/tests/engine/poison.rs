//! An input that cannot be applied is named by the error, and its batch leaves nothing behind.

use bus::DEFAULT_MAX_RECORD_BYTES;
use quintet_engine::BatchError;
use store::Class;

use crate::{
    rig::{Rig, rigs},
    toy::Add,
    work::{Works, add, command, tally, tell},
};

async fn poison(rig: &Rig, batch: &[Works]) -> (usize, String) {
    match rig.refused(batch).await {
        BatchError::Poison { culprit, reason } => (culprit, reason.to_string()),
        BatchError::Store(error) => panic!("{error}"),
    }
}

async fn nothing_saved(rig: &Rig) {
    for table in ["tally", "inbox", "outbox_event"] {
        assert_eq!(rig.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_reaction_that_panics_names_its_input() {
    for rig in rigs().await {
        // The duplicate before the poisonous input does not change its index.
        let batch =
            [add(1, tally(1)), add(1, tally(1)), tell(2, tally(2), "panic"), add(3, tally(1))];
        let (culprit, why) = poison(&rig, &batch).await;
        assert_eq!(culprit, 2);
        assert_eq!(why, "the reaction to Noted panicked: asked to");
        nothing_saved(&rig).await;

        let (culprit, _) =
            poison(&rig, &[add(1, tally(1)), command(2, tally(1), Add::PANICS)]).await;
        assert_eq!(culprit, 1);
        nothing_saved(&rig).await;

        rig.apply(&[add(1, tally(1)), add(3, tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "add, add");
    }
}

#[tokio::test]
async fn an_event_that_the_broker_would_not_take_does_not_enter_the_outbox() {
    for rig in rigs().await {
        let long = |number, bytes: usize| tell(number, tally(2), &format!("long {bytes}"));
        let (culprit, why) =
            poison(&rig, &[add(1, tally(1)), long(2, DEFAULT_MAX_RECORD_BYTES)]).await;
        assert_eq!(culprit, 1);
        assert!(why.contains("the broker takes 1000000"), "{why}");
        nothing_saved(&rig).await;
        rig.apply(&[long(3, DEFAULT_MAX_RECORD_BYTES - 2_000)]).await;
        assert_eq!(rig.count("outbox_event").await, 1);
    }
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_reported_as_a_fault_of_the_data() {
    for rig in rigs().await {
        let error = rig.refused(&[add(1, tally(1)), tell(2, tally(2), "refuse")]).await;
        let BatchError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.class(), Class::Data, "{error}");
        nothing_saved(&rig).await;
    }
}
