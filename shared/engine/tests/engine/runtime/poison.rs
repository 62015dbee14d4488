//! What cannot be applied does not stop a run.

use std::sync::{Arc, atomic::Ordering};

use bus::Outgoing;
use testkit::eventually;
use testkit::toy::Told;

use super::{Stage, add, record, stages};
use crate::{
    toy::{FIXED, Toy},
    work::tally,
};

fn tell(number: u128, tally_id: u128, what: &str) -> Outgoing {
    record(number, Told { tally_id: tally(tally_id), what: what.into() })
}

async fn parked(stage: &Stage, letters: i64) {
    let parked = async || (stage.rig.count("dead_letter").await == letters).then_some(());
    eventually("it to be parked", parked).await;
}

async fn read(stage: &Stage) {
    eventually("everything to be read", async || (stage.lag().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_parked_and_the_run_goes_on() {
    for stage in stages().await {
        let undecodable = Outgoing { value: b"{".into(), ..add(3, tally(1)) };
        stage.publish(&[add(1, tally(1)), undecodable, add(4, tally(1)), add(5, tally(2))]).await;
        let running = stage.start();
        stage.log_is(tally(2), "add").await;
        parked(&stage, 2).await;
        read(&stage).await;
        assert_eq!(stage.rig.log(tally(1)).await, "add");
        running.stop().await;
    }
}

#[tokio::test]
async fn what_the_database_refuses_is_parked_and_a_replay_completes_it_in_order() {
    for stage in stages().await {
        for what in ["refuse", "unfixed"] {
            stage.publish(&[tell(1, 1, what), tell(2, 1, "next"), add(3, tally(2))]).await;
            let running = stage.start();
            stage.log_is(tally(2), "add").await;
            parked(&stage, 2).await;
            let lane = stage.rig.lane(tally(1)).await;
            assert_eq!(lane.letters[0].attempts, 1, "{lane:?}");
            assert!(running.engine.queues().await.unwrap().parked.depth == 1);
            if what == "refuse" {
                running.engine.discard(tally(1).into(), false).await.unwrap();
            } else {
                running.add(tally(1), FIXED).await.unwrap();
            }
            running.engine.replay(tally(1).into()).await.unwrap().unwrap();
            parked(&stage, 0).await;
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
async fn what_cannot_be_understood_keeps_its_place_where_the_database_refuses_another() {
    for stage in stages().await {
        let undecodable = Outgoing { value: b"{".into(), ..add(1, tally(1)) };
        let records = [undecodable, add(2, tally(1)), tell(3, 2, "refuse"), add(4, tally(3))];
        stage.publish(&records).await;
        let running = stage.start();
        stage.log_is(tally(3), "add").await;
        parked(&stage, 3).await;
        assert_eq!(stage.rig.log(tally(1)).await, "");
        running.stop().await;
    }
}

#[tokio::test]
async fn poison_in_a_batch_of_five_hundred_costs_one_rerun() {
    for stage in stages().await {
        let mut records: Vec<Outgoing> =
            (1..=500).map(|number| tell(number, number, "fine")).collect();
        records[250] = tell(251, 251, "unfixed");
        records[300].value = b"{".into();
        stage.publish(&records).await;
        let toy = Toy::default();
        let loads = Arc::clone(&toy.loads);
        let running = stage.start_toy(toy);
        parked(&stage, 2).await;
        read(&stage).await;
        // Two partitions may come in two chunks.
        let loads = loads.load(Ordering::SeqCst);
        assert!(loads <= 3, "{loads} turns");
        assert_eq!(stage.rig.count("tally").await, 498);
        running.stop().await;
    }
}
