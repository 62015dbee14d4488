//! From the outbox to the broker.

use event::EventId;
use quintet_engine::{Relay, RelayError, Sent, Settings};

use crate::{
    rig::{Rig, apply, rigs, rigs_with},
    work::{add, tally, tell},
};

pub async fn send_all(relay: &mut Relay) -> usize {
    let mut all = 0;
    while let Sent::Some(count) = relay.step().await.unwrap() {
        all += count;
    }
    all
}

/// The events in the order in which each was first sent.
pub fn first_occurrences(sent: &[EventId]) -> Vec<EventId> {
    let mut seen = std::collections::BTreeSet::new();
    sent.iter().copied().filter(|id| seen.insert(*id)).collect()
}

fn both_ways() -> [Settings; 2] {
    [true, false].map(|exclusive| Settings { exclusive, ..Settings::default() })
}

async fn all_rigs() -> Vec<Rig> {
    let mut all = Vec::new();
    for settings in both_ways() {
        all.extend(rigs_with(settings).await);
    }
    all
}

#[tokio::test]
async fn committed_events_are_sent_in_order_and_once() {
    for rig in all_rigs().await {
        let mut relay = rig.relay();
        assert_eq!(relay.step().await.unwrap(), Sent::Nothing);
        let mut all = Vec::new();
        for batch in 0..3 {
            let works = (0..20).map(|n| add(batch * 20 + n, tally(n % 3)));
            rig.apply(&works.collect::<Vec<_>>()).await;
            all.extend(
                rig.outbox().await.into_iter().filter(|id| !all.contains(id)).collect::<Vec<_>>(),
            );
            if batch != 1 {
                send_all(&mut relay).await;
            }
        }
        assert_eq!(all.len(), 60);
        assert_eq!(rig.sent(), all);
        assert_eq!(relay.step().await.unwrap(), Sent::Nothing);
    }
}

#[tokio::test]
async fn a_refused_record_stops_the_line_and_nothing_overtakes_it() {
    for rig in all_rigs().await {
        let mut relay = rig.relay();
        rig.apply(&[tell(1, tally(1), "burst 5")]).await;
        rig.bus.refuse_after(2);
        assert!(matches!(relay.step().await, Err(RelayError::Bus(_))));
        assert_eq!(rig.sent().len(), 2);
        rig.bus.refuse_after(0);
        rig.apply(&[tell(2, tally(1), "burst 3")]).await;
        assert!(matches!(relay.step().await, Err(RelayError::Bus(_))));
        assert_eq!(rig.sent().len(), 2);

        let all = rig.outbox().await;
        assert_eq!(all.len(), 8, "a row stays until all of its events are acknowledged");
        assert_eq!(send_all(&mut relay).await, 6);
        assert_eq!(rig.sent(), all, "acknowledged events are not sent again");
    }
}

#[tokio::test]
async fn a_record_whose_report_was_lost_is_sent_again_before_those_after_it() {
    for rig in all_rigs().await {
        let mut relay = rig.relay();
        rig.apply(&[tell(1, tally(1), "burst 5")]).await;
        let all = rig.outbox().await;
        rig.bus.lose_report_after(2);
        relay.step().await.unwrap_err();
        send_all(&mut relay).await;
        let sent = rig.sent();
        assert_eq!(sent.len(), 6);
        assert_eq!(sent[2], sent[3]);
        assert_eq!(first_occurrences(&sent), all);
    }
}

#[tokio::test]
async fn events_are_kept_while_the_broker_is_away() {
    for rig in all_rigs().await {
        let mut relay = rig.relay();
        rig.bus.set_away(true);
        for number in 0..3 {
            rig.apply(&[add(number, tally(1))]).await;
            assert!(matches!(relay.step().await, Err(RelayError::Bus(_))));
        }
        let all = rig.outbox().await;
        assert_eq!(all.len(), 3);
        rig.bus.set_away(false);
        assert_eq!(send_all(&mut relay).await, 3);
        assert_eq!(rig.sent(), all);
    }
}

#[tokio::test]
async fn after_a_restart_the_events_that_were_left_are_sent_before_new_ones() {
    for rig in all_rigs().await {
        rig.apply(&[tell(1, tally(1), "burst 4")]).await;
        rig.bus.refuse_after(1);
        rig.relay().step().await.unwrap_err();

        let restarted = rig.another();
        rig.age_lease(rig.settings.lease).await;
        let mut relay = rig.relay_of(&restarted);
        apply(&restarted, &[add(2, tally(1))]).await;
        let all = rig.outbox().await;
        send_all(&mut relay).await;
        relay.tidy().await.unwrap();
        assert_eq!(first_occurrences(&rig.sent()).len(), 5);
        assert!(rig.sent().ends_with(&all));
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn acknowledged_rows_are_deleted_with_the_next_batch_or_by_tidying() {
    for rig in rigs().await {
        let mut relay = rig.relay();
        rig.apply(&[add(1, tally(1))]).await;
        send_all(&mut relay).await;
        assert_eq!(rig.count("outbox_event").await, 1);
        rig.apply(&[add(2, tally(1))]).await;
        assert_eq!(rig.outbox().await.len(), 1);
        send_all(&mut relay).await;
        relay.tidy().await.unwrap();
        assert_eq!(rig.count("outbox_event").await, 0);
        assert_eq!(rig.sent().len(), 2);
    }
}

#[tokio::test]
async fn events_that_do_not_fit_into_memory_are_read_from_the_table() {
    for rig in rigs().await {
        let mut relay = rig.relay();
        assert_eq!(relay.step().await.unwrap(), Sent::Nothing);
        for number in 0..3 {
            rig.apply(&[tell(number, tally(1), "burst 7000")]).await;
        }
        let mut all = rig.outbox().await;
        assert_eq!(all.len(), 21_000);
        assert!(rig.count("outbox").await > 3, "the size of a row is bounded");
        // Half of the events are sent before another one is added.
        for _ in 0..10 {
            relay.step().await.unwrap();
        }
        rig.apply(&[add(3, tally(1))]).await;
        all.extend(rig.outbox().await.last());
        send_all(&mut relay).await;
        assert_eq!(rig.sent().len(), all.len());
        assert_eq!(rig.sent(), all);
    }
}
