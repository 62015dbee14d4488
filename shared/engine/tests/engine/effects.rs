//! Effects: requests to the outside world.

use std::time::Duration;

use event::EffectId;
use jiff::Timestamp;
use quintet_engine::{Effect, Settings};
use testkit::toy::TallyId;

use crate::{
    rig::{Next, Rig, apply, rigs, rigs_with},
    toy::Ask,
    work::{ask, tally},
};

const INSTANT: Duration = Duration::from_micros(1);

fn id(tally_id: TallyId) -> EffectId {
    Ask(tally_id).id()
}

async fn due_at(rig: &Rig) -> Timestamp {
    rig.db.fetch("select due_at from effect", vec![]).await.unwrap()[0].get(0).unwrap()
}

async fn request(rig: &Rig, count: u128) {
    let batch: Vec<_> = (1..=count).map(|number| ask(number, tally(number))).collect();
    rig.apply(&batch).await;
}

#[tokio::test]
async fn a_request_is_attempted_at_once_and_its_answer_applied_once() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        request(&rig, 2).await;
        let outcomes = runner.step().await.unwrap();
        assert_eq!(outcomes.len(), 2);
        assert!(runner.step().await.unwrap().is_empty());
        rig.apply(&outcomes).await;
        assert_eq!(rig.apply(&outcomes).await.duplicates, 2);
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
        assert_eq!((rig.count("effect").await, rig.count("outbox_event").await), (0, 2));
        rig.clock.advance(rig.settings.claim * 2);
        assert!(runner.step().await.unwrap().is_empty());
        let mut asked = rig.provider.asked();
        asked.sort();
        assert_eq!(asked, [id(tally(1)), id(tally(2))]);
    }
}

#[tokio::test]
async fn a_request_made_twice_is_attempted_once() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.apply(&[ask(1, tally(1)), ask(2, tally(1))]).await;
        rig.apply(&[ask(3, tally(1))]).await;
        assert_eq!(runner.step().await.unwrap().len(), 1);
        assert!(runner.step().await.unwrap().is_empty());
        assert_eq!(rig.provider.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_repeated_after_growing_pauses() {
    let settings = Settings {
        backoff: Duration::from_millis(100),
        backoff_max: Duration::from_millis(350),
        ..Settings::default()
    };
    for rig in rigs_with(settings).await {
        let mut runner = rig.effects();
        rig.provider.plan(vec![Next::NoAnswer; 5]);
        request(&rig, 1).await;
        for (attempt, most) in (1..).zip([100, 200, 350, 350, 350_u64]) {
            assert!(runner.step().await.unwrap().is_empty());
            assert_eq!(rig.provider.asked(), [id(tally(1))], "attempt {attempt}");
            assert_eq!(rig.number("select attempts from effect").await, attempt);
            let now = clock::Clock::now(&*rig.clock);
            let pause: Duration = due_at(&rig).await.duration_since(now).try_into().unwrap();
            let (half, most) = (Duration::from_millis(most) / 2, Duration::from_millis(most));
            assert!((half..=most).contains(&pause), "attempt {attempt}: {pause:?}");

            rig.clock.advance(pause.saturating_sub(INSTANT));
            assert!(runner.step().await.unwrap().is_empty());
            assert!(rig.provider.asked().is_empty(), "too early");
            rig.clock.advance(INSTANT);
        }
        let why = rig.db.fetch("select last_error from effect", vec![]).await.unwrap();
        assert_eq!(why[0].get::<String>(0).unwrap(), "503");
        let outcomes = runner.step().await.unwrap();
        rig.apply(&outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
    }
}

#[tokio::test]
async fn a_request_whose_outcome_was_lost_is_repeated_and_its_answer_applied_once() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        request(&rig, 1).await;
        let lost = runner.step().await.unwrap();
        rig.clock.advance(rig.settings.claim);
        let again = runner.step().await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!(rig.provider.asked(), [id(tally(1)); 2]);
        rig.apply(&again).await;
        assert_eq!(rig.apply(&lost).await.duplicates, 1);
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
    }
}

#[tokio::test]
async fn a_claim_is_respected_while_it_lasts_and_taken_over_when_it_ends() {
    for rig in rigs().await {
        let other = rig.another();
        let (mut first, mut second) = (rig.effects(), rig.effects_of(&other));
        request(&rig, 1).await;
        rig.clock.advance(rig.settings.claim.saturating_sub(INSTANT));
        assert!(second.step().await.unwrap().is_empty());
        assert!(rig.provider.asked().is_empty());

        rig.clock.advance(INSTANT + rig.settings.poll);
        let outcomes = second.step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        // The claim of the first replica has ended, so it attempts nothing.
        assert!(first.step().await.unwrap().is_empty());
        assert_eq!(rig.provider.asked().len(), 1);
        apply(&other, &outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
    }
}

#[tokio::test]
async fn a_process_that_starts_in_exclusive_mode_takes_over_every_claim() {
    for (exclusive, taken_over) in [(true, 1), (false, 0)] {
        for rig in rigs_with(Settings { exclusive, ..Settings::default() }).await {
            request(&rig, 1).await;
            let next = rig.another();
            next.take_stock().await;
            rig.effects_of(&next).step().await.unwrap();
            assert_eq!(rig.provider.asked().len(), taken_over);
        }
    }
}

#[tokio::test]
async fn a_failed_attempt_changes_nothing_once_another_replica_has_the_answer() {
    for rig in rigs().await {
        let other = rig.another();
        let (mut first, mut second) = (rig.effects(), rig.effects_of(&other));
        request(&rig, 2).await;
        rig.execute("delete from effect where aggregate_id = $1", vec![tally(1).into()]).await;
        rig.provider.plan([Next::NoAnswer, Next::NoAnswer]);
        assert!(first.step().await.unwrap().is_empty());
        assert_eq!(rig.number("select attempts from effect").await, 1);
        rig.clock.advance(rig.settings.backoff_max);
        apply(&other, &second.step().await.unwrap()).await;
        assert_eq!(rig.count("effect").await, 0);
    }
}

#[tokio::test]
async fn a_failed_attempt_does_not_put_off_an_effect_that_another_replica_has_claimed() {
    for rig in rigs().await {
        let other = rig.another();
        let (mut late, mut second) = (rig.effects(), rig.effects_of(&other));
        rig.provider.plan([Next::Later]);
        request(&rig, 1).await;
        let taken_over = async {
            rig.provider.met().await;
            rig.clock.advance(rig.settings.claim);
            // The second attempt is under way when the first one fails.
            let claimed = second.step().await.unwrap();
            let due = due_at(&rig).await;
            rig.provider.met().await;
            (claimed, due)
        };
        let (failed, (outcomes, due)) = tokio::join!(late.step(), taken_over);
        assert!(failed.unwrap().is_empty());
        assert_eq!(due_at(&rig).await, due, "the claim of the second replica stands");
        assert_eq!(rig.number("select attempts from effect").await, 0);
        apply(&other, &outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
    }
}

#[tokio::test]
async fn no_more_attempts_are_under_way_at_once_than_allowed() {
    let settings = Settings { effects_concurrency: 3, ..Settings::default() };
    for rig in rigs_with(settings).await {
        let mut runner = rig.effects();
        request(&rig, 10).await;
        let mut steps = Vec::new();
        loop {
            let outcomes = runner.step().await.unwrap();
            if outcomes.is_empty() {
                break;
            }
            steps.push(outcomes.len());
            rig.apply(&outcomes).await;
        }
        assert_eq!(steps, [3, 3, 3, 1]);
        assert_eq!(rig.provider.most(), 3);
        assert_eq!(rig.provider.asked().len(), 10);
        assert_eq!(rig.count("effect").await, 0);
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_counts_as_no_answer() {
    let settings = Settings { effects_timeout: Duration::from_millis(20), ..Settings::default() };
    for rig in rigs_with(settings).await {
        let mut runner = rig.effects();
        rig.provider.plan([Next::Never]);
        request(&rig, 1).await;
        assert!(runner.step().await.unwrap().is_empty());
        let why = rig.db.fetch("select last_error from effect", vec![]).await.unwrap();
        assert_eq!(why[0].get::<String>(0).unwrap(), "no answer within 20ms");
        rig.clock.advance(rig.settings.backoff_max);
        assert_eq!(runner.step().await.unwrap().len(), 1);
        assert_eq!(rig.provider.asked(), [id(tally(1)); 2]);
    }
}

#[tokio::test]
async fn an_attempt_that_panics_is_repeated_when_its_claim_ends() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.provider.plan([Next::Panic, Next::Answer(9)]);
        request(&rig, 1).await;
        assert!(runner.step().await.unwrap().is_empty());
        rig.clock.advance(rig.settings.claim);
        let outcomes = runner.step().await.unwrap();
        rig.apply(&outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 9");
    }
}

#[tokio::test]
async fn a_request_that_this_version_cannot_read_holds_up_no_other() {
    for rig in rigs().await {
        request(&rig, 2).await;
        let sql =
            "update effect set payload = '{\"of\":\"a newer version\"}' where aggregate_id = $1";
        rig.execute(sql, vec![tally(1).into()]).await;
        rig.clock.advance(rig.settings.claim);
        let outcomes = rig.effects_of(&rig.another()).step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        rig.apply(&outcomes).await;
        assert_eq!(rig.log(tally(2)).await, "ask, answer 5");
        assert_eq!(rig.count("effect").await, 1, "it waits for the newer version");
    }
}

#[tokio::test]
async fn answers_are_kept_in_memory_during_a_database_outage() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.provider.plan([Next::Answer(1), Next::NoAnswer]);
        request(&rig, 2).await;
        rig.execute("alter table effect rename to away", vec![]).await;
        assert!(runner.step().await.is_err());
        rig.execute("alter table away rename to effect", vec![]).await;
        let outcomes = runner.step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        assert_eq!(rig.provider.asked().len(), 2, "no request was repeated");
        rig.apply(&outcomes).await;
        assert_eq!(rig.number("select attempts from effect").await, 1);
    }
}
