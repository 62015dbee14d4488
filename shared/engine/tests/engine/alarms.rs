//! Durable deadlines.

use std::time::Duration;

use crate::{
    rig::rigs,
    toy::{ALARM, Toy},
    work::{Works, add, arm, disarm, ring, tally},
};

const INSTANT: Duration = Duration::from_micros(1);

async fn due(rig: &crate::rig::Rig) -> Vec<Works> {
    rig.engine.alarms().step::<Toy>().await.unwrap()
}

#[tokio::test]
async fn an_alarm_rings_at_its_time_once_and_not_before() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1))]).await;
        rig.clock.advance(ALARM.saturating_sub(INSTANT));
        assert!(due(&rig).await.is_empty());
        rig.apply(&[ring(tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "arm", "an alarm that rings too early is ignored");

        rig.clock.advance(INSTANT);
        let ringing = due(&rig).await;
        assert_eq!(ringing.len(), 1);
        assert_eq!(ringing[0].input.aggregate(), Some(tally(1)));
        assert_eq!(rig.apply(&ringing).await.duplicates, 0);
        assert_eq!(rig.apply(&ringing).await.duplicates, 1);
        assert_eq!(rig.log(tally(1)).await, "arm, ring");
        rig.clock.advance(ALARM);
        assert!(due(&rig).await.is_empty());
        assert_eq!((rig.count("alarm").await, rig.count("outbox_event").await), (0, 1));
    }
}

#[tokio::test]
async fn a_cleared_alarm_never_rings() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1)), disarm(2, tally(1)), arm(3, tally(2))]).await;
        assert_eq!(rig.count("alarm").await, 1);
        rig.clock.advance(ALARM);
        let ringing = due(&rig).await;
        assert_eq!(ringing.len(), 1);
        // The alarm is cleared after it was claimed.
        rig.apply(&[disarm(4, tally(2))]).await;
        assert_eq!(rig.apply(&ringing).await.duplicates, 1);
        assert_eq!(rig.log(tally(2)).await, "arm, disarm");
    }
}

#[tokio::test]
async fn an_alarm_set_again_rings_at_its_new_time_only() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1))]).await;
        rig.clock.advance(ALARM / 2);
        rig.apply(&[arm(2, tally(1))]).await;
        rig.clock.advance(ALARM / 2);
        assert!(due(&rig).await.is_empty());
        rig.clock.advance(ALARM / 2);

        let taken = due(&rig).await;
        assert_eq!(taken.len(), 1);
        // The alarm is set again after it was claimed.
        rig.apply(&[arm(3, tally(1))]).await;
        assert_eq!(rig.apply(&taken).await.duplicates, 1);
        assert_eq!(rig.log(tally(1)).await, "arm, arm, arm");
        rig.clock.advance(ALARM);
        let taken = due(&rig).await;
        rig.apply(&taken).await;
        assert_eq!(rig.log(tally(1)).await, "arm, arm, arm, ring");
    }
}

#[tokio::test]
async fn a_claimed_alarm_is_left_alone_until_its_claim_ends() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1))]).await;
        rig.clock.advance(ALARM);
        let lost = due(&rig).await;
        assert_eq!(lost.len(), 1);
        let other = rig.another();
        rig.clock.advance(rig.settings.claim.saturating_sub(INSTANT));
        assert!(other.alarms().step::<Toy>().await.unwrap().is_empty());
        rig.clock.advance(INSTANT);
        let again = other.alarms().step::<Toy>().await.unwrap();
        assert_eq!(again.len(), 1);
        crate::rig::apply(&other, &again).await;
        assert_eq!(rig.apply(&lost).await.duplicates, 1);
        assert_eq!(rig.log(tally(1)).await, "arm, ring");
    }
}

#[tokio::test]
async fn an_alarm_that_this_version_does_not_know_holds_up_no_other() {
    for rig in rigs().await {
        rig.apply(&[arm(1, tally(1))]).await;
        rig.execute("update alarm set name = 'of_a_newer_version'", vec![]).await;
        rig.apply(&[arm(2, tally(2))]).await;
        rig.clock.advance(ALARM);
        let ringing = due(&rig).await;
        assert_eq!(ringing.len(), 1);
        rig.apply(&ringing).await;
        assert_eq!(rig.log(tally(2)).await, "arm, ring");
        assert_eq!(rig.count("alarm").await, 1, "it waits for the newer version");
    }
}

#[tokio::test]
async fn many_alarms_ring_in_several_steps() {
    for rig in rigs().await {
        let tallies = 1..=600_u128;
        let batch: Vec<_> = tallies.clone().map(|number| arm(number, tally(number))).collect();
        rig.apply(&batch).await;
        rig.clock.advance(ALARM);
        let mut rung = 0;
        loop {
            let ringing = due(&rig).await;
            if ringing.is_empty() {
                break;
            }
            rung += ringing.len();
            rig.apply(&ringing).await;
        }
        assert_eq!((rung, rig.count("outbox_event").await), (600, 600));
        rig.apply(&[add(1_000, tally(1))]).await;
        assert_eq!(rig.log(tally(1)).await, "arm, ring, add");
    }
}
