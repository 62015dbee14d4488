//! Several relays on one outbox: only the holder of the lease sends, even after a relay died or hung.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Consumer, Outgoing, PartitionState, Producer, Published, Topic};
use clock::{Clock, ManualClock};
use quintet_engine::{Engine, Sent, Settings};
use testkit::{Database, MemoryBus};
use tokio::sync::Barrier;

use crate::{
    relay::{first_occurrences, send_all},
    rig::{Rig, apply, options, rigs_with},
    toy::Toy,
    work::{add, tally, tell},
};

const INSTANT: Duration = Duration::from_micros(1);
const HINTS: &str = "quintet_relay";

fn shared() -> Settings {
    Settings { exclusive: false, ..Settings::default() }
}

#[tokio::test]
async fn only_the_holder_of_the_lease_sends_and_others_take_it_when_it_ends() {
    for rig in rigs_with(shared()).await {
        let other = rig.another();
        let (mut holder, mut standby) = (rig.relay(), rig.relay_of(&other));
        rig.apply(&[add(1, tally(1))]).await;
        assert_eq!(holder.step().await.unwrap(), Sent::Some(1));
        apply(&other, &[add(2, tally(1))]).await;
        assert_eq!(standby.step().await.unwrap(), Sent::StandingBy);
        // The holder keeps the lease as long as it sends.
        for number in 3..6 {
            rig.age_lease(rig.settings.lease / 2).await;
            apply(&other, &[add(number, tally(1))]).await;
            assert!(matches!(holder.step().await.unwrap(), Sent::Some(_)));
            apply(&other, &[add(number + 10, tally(1))]).await;
            assert_eq!(standby.step().await.unwrap(), Sent::StandingBy);
        }
        assert_eq!(send_all(&mut holder).await, 1);

        // Once it stops sending, it loses the lease.
        apply(&other, &[add(20, tally(1))]).await;
        rig.age_lease(rig.settings.lease + INSTANT).await;
        assert_eq!(standby.step().await.unwrap(), Sent::Some(1));
        rig.apply(&[add(21, tally(1))]).await;
        assert_eq!(holder.step().await.unwrap(), Sent::StandingBy);
        assert_eq!(send_all(&mut standby).await, 1);
        assert_eq!(rig.sent().len(), 10);
        assert_eq!(rig.count("outbox_event").await, 0);
    }
}

#[tokio::test]
async fn a_released_lease_is_taken_at_once() {
    for rig in rigs_with(shared()).await {
        let other = rig.another();
        let (mut holder, mut next) = (rig.relay(), rig.relay_of(&other));
        rig.apply(&[add(1, tally(1))]).await;
        send_all(&mut holder).await;
        let token = rig.number("select token from lease").await;
        holder.release().await.unwrap();
        apply(&other, &[add(2, tally(1))]).await;
        assert_eq!(next.step().await.unwrap(), Sent::Some(1));
        assert_eq!(rig.number("select token from lease").await, token + 1);
    }
}

#[tokio::test]
async fn an_idle_relay_does_not_renew_its_lease() {
    for rig in rigs_with(shared()).await {
        let mut relay = rig.relay();
        assert_eq!(relay.step().await.unwrap(), Sent::Nothing);
        assert_eq!(rig.count("lease").await, 0);
        rig.apply(&[add(1, tally(1))]).await;
        send_all(&mut relay).await;
        let ends = rig.number("select expires_at from lease").await;
        for _ in 0..5 {
            rig.clock.advance(rig.settings.lease);
            assert_eq!(relay.step().await.unwrap(), Sent::Nothing);
        }
        assert_eq!(rig.number("select expires_at from lease").await, ends);
    }
}

#[tokio::test]
async fn a_process_whose_clock_is_ahead_does_not_take_a_lease_that_is_held() {
    for rig in rigs_with(shared()).await {
        rig.apply(&[add(1, tally(1))]).await;
        let mut holder = rig.relay();
        send_all(&mut holder).await;
        let ahead = Arc::new(ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap()));
        let options = options(&rig.settings, 99);
        let hasty = Engine::new(Toy::default(), rig.db.clone(), ahead, options);
        apply(&hasty, &[add(2, tally(1))]).await;
        assert_eq!(rig.relay_of(&hasty).step().await.unwrap(), Sent::StandingBy);
        assert_eq!(send_all(&mut holder).await, 1);
    }
}

#[tokio::test]
async fn a_standby_takes_over_although_its_clock_is_set_back() {
    for back in [Duration::from_hours(1), Duration::ZERO] {
        for rig in rigs_with(shared()).await {
            let (other, start) = (rig.another(), rig.clock.now());
            let (mut holder, mut standby) = (rig.relay(), rig.relay_of(&other));
            rig.apply(&[add(1, tally(1))]).await;
            send_all(&mut holder).await;
            apply(&other, &[add(2, tally(1))]).await;
            assert_eq!(standby.step().await.unwrap(), Sent::StandingBy);
            rig.age_lease(rig.settings.lease).await;
            rig.clock.set(start - back);
            assert_eq!(standby.step().await.unwrap(), Sent::Some(1));
        }
    }
}

#[tokio::test]
async fn a_lease_that_was_taken_before_the_servers_clock_was_set_back_has_ended() {
    for rig in rigs_with(shared()).await {
        let other = rig.another();
        rig.apply(&[add(1, tally(1))]).await;
        send_all(&mut rig.relay()).await;
        let an_hour = i64::try_from(Duration::from_hours(1).as_micros()).unwrap();
        let set_back = "update lease set expires_at = expires_at + $1";
        rig.execute(set_back, vec![an_hour.into()]).await;
        assert_eq!(other.status(&rig.bus).await.unwrap().relay, None);
        apply(&other, &[add(2, tally(1))]).await;
        assert_eq!(rig.relay_of(&other).step().await.unwrap(), Sent::Some(1));
    }
}

#[tokio::test]
async fn a_standby_sends_one_hint_for_its_commits_and_a_release_is_announced() {
    let Some(database) = Database::on_postgres().await else { return };
    let rig = Rig::new(database, shared()).await;
    let mut hints = rig.db.listener(HINTS).unwrap();
    let heard = tokio::spawn(async move {
        let mut all = Vec::new();
        while all.last().is_none_or(|said| said != "free") {
            all.push(hints.hear().await.unwrap());
        }
        all
    });
    let listens = "select count(*) from pg_stat_activity \
                   where query like 'LISTEN%' and datname = current_database()";
    let listening = async || (rig.number(listens).await == 1).then_some(());
    testkit::eventually("the listener to be connected", listening).await;

    let other = rig.another();
    let (mut holder, mut standby) = (rig.relay(), rig.relay_of(&other));
    rig.apply(&[add(1, tally(1))]).await;
    holder.step().await.unwrap();
    apply(&other, &[add(2, tally(1))]).await;
    for _ in 0..3 {
        assert_eq!(standby.step().await.unwrap(), Sent::StandingBy);
    }
    send_all(&mut holder).await;
    holder.release().await.unwrap();
    assert_eq!(heard.await.unwrap(), ["more", "free"], "one hint for one commit");
}

/// A bus that hangs while publishing: it waits at the barrier twice before it publishes anything.
struct Slow(MemoryBus, Arc<Barrier>);

#[async_trait]
impl Bus for Slow {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        self.0.create_topics(topics).await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(Self(self.0.clone(), Arc::clone(&self.1))))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        self.0.consumer(group, topics).await
    }

    async fn partitions(&self, _: &str, _: &[&str]) -> Result<Vec<PartitionState>, BusError> {
        Ok(Vec::new())
    }

    async fn rewind(&self, _: &str, _: &[&str]) -> Result<(), BusError> {
        Ok(())
    }

    fn max_record_bytes(&self) -> usize {
        self.0.max_record_bytes()
    }
}

#[async_trait]
impl Producer for Slow {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        self.1.wait().await;
        self.1.wait().await;
        self.0.publish(records).await
    }
}

#[tokio::test]
async fn a_relay_that_hung_while_sending_repeats_events_but_neither_deletes_nor_reorders_them() {
    for rig in rigs_with(shared()).await {
        let woken = Arc::new(Barrier::new(2));
        let bus = Slow(rig.bus.clone(), Arc::clone(&woken));
        let (other, mut hung) = (rig.another(), rig.engine.relay(Arc::new(bus)));
        rig.apply(&[tell(1, tally(1), "burst 3")]).await;
        let mut all = rig.outbox().await;

        let meanwhile = async {
            woken.wait().await;
            rig.age_lease(rig.settings.lease).await;
            let mut next = rig.relay_of(&other);
            // The next relay sends its second record, but the report of it is lost.
            rig.bus.lose_report_after(1);
            next.step().await.unwrap_err();
            apply(&other, &[tell(2, tally(1), "burst 2")]).await;
            all.extend(rig.outbox().await.split_off(3));
            woken.wait().await;
            next
        };
        let (applied, mut next) = tokio::join!(hung.step(), meanwhile);
        applied.unwrap();
        // The broker got all that the hung relay held, but only the holder of the lease may delete the rows.
        assert_eq!(rig.outbox().await, all);
        rig.apply(&[tell(3, tally(1), "burst 1")]).await;
        assert_eq!(hung.step().await.unwrap(), Sent::StandingBy);
        all.extend(rig.outbox().await.last());

        send_all(&mut next).await;
        assert_eq!(rig.count("outbox_event").await, 0);
        assert_eq!(first_occurrences(&rig.sent()), all);
    }
}
