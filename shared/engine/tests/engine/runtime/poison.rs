//! A record that cannot be applied does not stop a service.

use std::sync::{Arc, atomic::Ordering};

use bus::Outgoing;
use testkit::eventually;
use testkit::toy::Noted;

use super::{Stage, add, record, stages};
use crate::{
    toy::{FIXED, Toy},
    work::tally,
};

fn tell(number: u128, tally_id: u128, what: &str) -> Outgoing {
    record(number, Noted { tally_id: tally(tally_id), what: what.into() })
}

async fn dead_letters_are(stage: &Stage, expected: i64) {
    let as_expected = async || (stage.rig.count("dead_letter").await == expected).then_some(());
    eventually("the dead letters to be as many as expected", as_expected).await;
}

async fn read(stage: &Stage) {
    eventually("everything to be read", async || (stage.lag().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_parked_and_the_service_goes_on() {
    for stage in stages().await {
        let undecodable = Outgoing { value: b"{".into(), ..add(3, tally(1)) };
        stage.publish(&[add(1, tally(1)), undecodable, add(4, tally(1)), add(5, tally(2))]).await;
        let running = stage.start();
        stage.log_is(tally(2), "add").await;
        dead_letters_are(&stage, 2).await;
        read(&stage).await;
        assert_eq!(stage.rig.log(tally(1)).await, "add");
        running.stop().await;
    }
}

#[tokio::test]
async fn an_event_whose_changes_the_database_refuses_is_parked_and_can_be_replayed() {
    for stage in stages().await {
        for what in ["refuse", "unfixed"] {
            stage.publish(&[tell(1, 1, what), tell(2, 1, "next"), add(3, tally(2))]).await;
            let running = stage.start();
            stage.log_is(tally(2), "add").await;
            dead_letters_are(&stage, 2).await;
            let queue = stage.rig.dead_letter_queue(tally(1)).await;
            assert_eq!(queue.dead_letters[0].attempts, 1, "{queue:?}");
            assert!(running.engine.queues().await.unwrap().parked.depth == 1);
            if what == "refuse" {
                running.engine.discard(tally(1).into(), false).await.unwrap();
            } else {
                running.add(tally(1), FIXED).await.unwrap();
            }
            running.engine.replay(tally(1).into()).await.unwrap().unwrap();
            dead_letters_are(&stage, 0).await;
            let log = stage.rig.log(tally(1)).await;
            let expected = if what == "refuse" { "next" } else { "command 100, unfixed, next" };
            assert_eq!(log, expected);
            running.stop().await;
            for table in ["tally", "inbox"] {
                stage.rig.execute(&format!("delete from {table}"), vec![]).await;
            }
        }
    }
}

#[tokio::test]
async fn an_undecodable_record_parks_its_order_although_another_event_fails_the_batch() {
    for stage in stages().await {
        let undecodable = Outgoing { value: b"{".into(), ..add(1, tally(1)) };
        let records = [undecodable, add(2, tally(1)), tell(3, 2, "refuse"), add(4, tally(3))];
        stage.publish(&records).await;
        let running = stage.start();
        stage.log_is(tally(3), "add").await;
        dead_letters_are(&stage, 3).await;
        assert_eq!(stage.rig.log(tally(1)).await, "");
        running.stop().await;
    }
}

#[tokio::test]
async fn poison_in_a_batch_of_five_hundred_costs_one_more_attempt() {
    for stage in stages().await {
        let mut records: Vec<Outgoing> =
            (1..=500).map(|number| tell(number, number, "fine")).collect();
        records[250] = tell(251, 251, "unfixed");
        records[300].value = b"{".into();
        stage.publish(&records).await;
        let toy = Toy::default();
        let loads = Arc::clone(&toy.loads);
        let running = stage.start_toy(toy);
        dead_letters_are(&stage, 2).await;
        read(&stage).await;
        // The records of two partitions may arrive in two chunks.
        let loads = loads.load(Ordering::SeqCst);
        assert!(loads <= 3, "{loads} attempts");
        assert_eq!(stage.rig.count("tally").await, 498);
        running.stop().await;
    }
}
