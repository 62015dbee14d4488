use std::{collections::BTreeSet, time::Duration};

use quintet_engine::{CommandError, Effect, Settings};
use testkit::eventually;
use testkit::toy::{Added, ArmBell, AskOnce, DisarmBell};

use super::{Stage, add, advance, record, stages};
use crate::{
    rig::{Next, rigs_with},
    toy::{Ask, Reply},
    work::{replaced, tally},
};

fn with_header(mut record: bus::Outgoing, name: &str, value: &str) -> bus::Outgoing {
    record.headers = replaced(&record.headers, name, value);
    record
}

#[tokio::test]
async fn events_come_in_and_go_out_and_a_second_run_sees_none_of_them_again() {
    for stage in stages().await {
        let mut records: Vec<_> = (0..60).map(|n| add(n, tally(n % 7))).collect();
        // The toy does not react to these records: one of another type, one of a type that it does not consume, and one
        // of that type in a version that does not exist yet.
        let released = |number| record(number, Added { tally_id: tally(1) });
        records.insert(30, with_header(add(90, tally(1)), "ce_type", "SomethingElse"));
        records.insert(31, with_header(released(92), "ce_dataschema", "urn:from:the:future"));
        records.push(released(91));
        stage.publish(&records).await;

        let running = stage.start();
        stage.log_is(tally(0), &["add"; 9].join(", ")).await;
        for number in 1..7 {
            let times = if number < 4 { 9 } else { 8 };
            stage.log_is(tally(number), &vec!["add"; times].join(", ")).await;
        }
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 0);
        let own = stage.published("sums", "Added", 61).await;
        assert_eq!(own.into_iter().collect::<BTreeSet<_>>().len(), 61);

        let running = stage.start();
        stage.publish(&[add(100, tally(100))]).await;
        stage.log_is(tally(100), "add").await;
        running.inputs_are(&*stage.bus, 1, 0).await;
        running.stop().await;
        // The toy may have published one event after its last poll.
        assert!(stage.lag().await <= 1);
    }
}

#[tokio::test]
async fn commands_accepted_before_the_stop_are_answered_and_their_events_sent() {
    for stage in stages().await {
        let running = stage.start();
        let first = running.add(tally(1), 1).await;
        assert_eq!(first, Ok(Reply::Count(1)));
        let commands = running.commands.clone();
        let senders = (0..300_u128).map(|n| {
            let commands = commands.clone();
            let add = crate::toy::Add { tally_id: tally(n % 5), by: 1 };
            tokio::spawn(async move { commands.send(add, None, event::Trace::default()).await })
        });
        let senders: Vec<_> = senders.collect();
        // Some of them are under way, others not yet sent.
        tokio::task::yield_now().await;
        running.stop().await;
        let mut carried_out = 1;
        for sender in senders {
            match sender.await.unwrap() {
                Ok(Reply::Count(_)) => carried_out += 1,
                refused => assert_eq!(refused, Err(CommandError::Stopping)),
            }
        }
        assert_eq!(
            stage.rig.number("select cast(sum(count) as bigint) from tally").await,
            carried_out
        );
        assert_eq!(stage.rig.count("inbox").await, carried_out);
        assert_eq!(stage.rig.count("outbox_event").await, 0);
        let sent = usize::try_from(carried_out).unwrap();
        stage.published("sums", "Added", sent).await;
        let late = commands.send(
            crate::toy::Add { tally_id: tally(1), by: 1 },
            None,
            event::Trace::default(),
        );
        assert_eq!(late.await, Err(CommandError::Stopping));
    }
}

#[tokio::test]
async fn effects_are_attempted_until_answered_and_alarms_ring() {
    for stage in stages().await {
        let (rig, tally_id) = (&stage.rig, tally(1));
        rig.provider.plan([Next::NoAnswer, Next::NoAnswer, Next::Answer(4)]);
        let running = stage.start();
        stage.publish(&[record(1, AskOnce { tally_id })]).await;
        let answered = async || {
            advance(&rig.clock);
            (rig.log(tally_id).await == "ask, answer 4").then_some(())
        };
        eventually("the third answer", answered).await;
        assert_eq!(rig.provider.asked().len(), 3);

        stage.publish(&[record(2, ArmBell { tally_id })]).await;
        stage.log_is(tally_id, "ask, answer 4, arm").await;
        rig.clock.advance(crate::toy::ALARM);
        stage.log_is(tally_id, "ask, answer 4, arm, ring").await;
        stage.publish(&[record(3, DisarmBell { tally_id })]).await;
        stage.log_is(tally_id, "ask, answer 4, arm, ring, disarm").await;
        running.stop().await;
        for table in ["effect", "alarm", "outbox_event"] {
            assert_eq!(rig.count(table).await, 0, "{table}");
        }
        stage.published("ends", "Rang", 1).await;
    }
}

#[tokio::test]
async fn an_answer_that_arrives_during_the_stop_is_applied() {
    for stage in stages().await {
        let running = stage.start();
        for number in 0..20 {
            stage.publish(&[record(number, AskOnce { tally_id: tally(number) })]).await;
        }
        stage.log_is(tally(19), "ask, answer 5").await;
        running.stop().await;
        // Every request that was made was answered; the others wait.
        let asked = stage.rig.provider.asked().len();
        let waiting = usize::try_from(stage.rig.count("effect").await).unwrap();
        assert_eq!(asked + waiting, usize::try_from(stage.rig.count("inbox").await).unwrap());
    }
}

#[tokio::test]
async fn a_second_run_goes_on_with_the_work_that_the_first_left() {
    for stage in stages().await {
        stage.rig.apply(&[crate::work::add(1, tally(1)), crate::work::ask(2, tally(2))]).await;
        assert_eq!(stage.rig.count("outbox_event").await, 1);
        let running = stage.start();
        stage.published("sums", "Added", 1).await;
        // The claim of the first run ends.
        stage.rig.clock.advance(stage.rig.settings.claim);
        stage.log_is(tally(2), "ask, answer 5").await;
        running.stop().await;
        assert_eq!(stage.rig.count("outbox_event").await, 0);
    }
}

/// Each request has an isolation key of its own, so that the keys do not show which requests hang.
#[tokio::test]
async fn attempts_that_hang_give_their_slots_to_others_that_wait() {
    let settings = Settings {
        effects_concurrency: 8,
        // No attempt ends by a time-out, because the limit is longer than the test takes.
        effects_timeout: Duration::from_hours(1),
        claim: Duration::from_hours(100),
        poll: Duration::from_millis(10),
        ..Settings::default()
    };
    for rig in rigs_with(settings).await {
        let (hanging, good) = (1..=40, 41..=43);
        let id = |number: u128| Ask(tally(number)).id();
        rig.provider.always(hanging.clone().map(id), &Next::Never);
        let stage = Stage::on(rig).await;
        let running = stage.start();
        let ask = |number| record(number, AskOnce { tally_id: tally(number) });
        let asks: Vec<_> = hanging.clone().chain(good.clone()).map(ask).collect();
        stage.publish(&asks).await;
        for number in good {
            let rig = &stage.rig;
            let answered = async || {
                rig.clock.advance(rig.settings.effects_timeout / 10);
                (rig.log(tally(number)).await == "ask, answer 5").then_some(())
            };
            eventually("a request behind those that hang to be answered", answered).await;
        }
        let (rig, all) = (&stage.rig, hanging.count());
        assert_eq!(usize::try_from(rig.count("effect").await), Ok(all), "no request is lost");
        running.stop.send_replace(true);
        running.task.abort();
    }
}
