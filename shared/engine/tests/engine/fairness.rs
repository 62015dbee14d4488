//! The failing requests of one customer do not stop those of the others.

use std::{collections::HashSet, time::Duration};

use event::EffectId;
use quintet_engine::{Effect, EffectRunner, Settings};

use crate::{
    rig::{Next, Rig, rigs, rigs_with},
    toy::{Ask, CROWD, Toy},
    work::{ask, tally},
};

/// Of eight slots fresh effects have seven, retries two, and a key six.
const SLOTS: usize = 8;

fn settings() -> Settings {
    Settings {
        effects_concurrency: SLOTS,
        effects_timeout: Duration::from_millis(20),
        ..Settings::default()
    }
}

fn id(number: u128) -> EffectId {
    Ask(tally(number)).id()
}

fn crowd(count: u128) -> impl Iterator<Item = u128> + Clone {
    CROWD..CROWD + count
}

async fn request(rig: &Rig, numbers: impl IntoIterator<Item = u128>) {
    let batch: Vec<_> = numbers.into_iter().map(|number| ask(number, tally(number))).collect();
    rig.apply(&batch).await;
}

/// Attempts the effects that can be attempted, and applies the answers. Returns which requests were made.
async fn attempted(rig: &Rig, runner: &mut EffectRunner<Toy>) -> Vec<EffectId> {
    let outcomes = runner.step().await.unwrap();
    if !outcomes.is_empty() {
        rig.apply(&outcomes).await;
    }
    rig.provider.asked()
}

#[tokio::test]
async fn requests_that_are_never_answered_leave_slots_to_others_and_then_give_theirs_up() {
    for rig in rigs_with(settings()).await {
        let mut runner = rig.effects();
        rig.provider.always(crowd(40).map(id), &Next::Never);
        request(&rig, crowd(40).chain([1])).await;
        let asked = attempted(&rig, &mut runner).await;
        assert_eq!(asked.len(), 7, "six of the crowd and the other");
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");

        for number in 2..6 {
            request(&rig, [number]).await;
            let asked = attempted(&rig, &mut runner).await;
            let crowd = asked.iter().filter(|asked| **asked != id(number)).count();
            assert!(asked.contains(&id(number)), "{asked:?}");
            assert!(crowd <= 2, "the crowd has a slot for fresh effects or for retries: {asked:?}");
        }
        assert_eq!(rig.count("effect").await, 40, "none of the crowd is lost");
    }
}

#[tokio::test]
async fn once_the_provider_answers_a_slow_key_gets_its_slots_back() {
    for rig in rigs_with(settings()).await {
        let mut runner = rig.effects();
        rig.provider.always(crowd(40).map(id), &Next::Never);
        request(&rig, crowd(40)).await;
        for _ in 0..3 {
            attempted(&rig, &mut runner).await;
        }
        rig.provider.heal();
        let mut most = 0;
        let mut waits = 0;
        while rig.count("effect").await > 0 {
            most = most.max(attempted(&rig, &mut runner).await.len());
            rig.clock.advance(Duration::from_secs(30));
            waits += 1;
            assert!(waits <= 40, "twice the longest pause has passed");
        }
        assert!(most >= 4, "{most} at once");
    }
}

#[tokio::test]
async fn retries_have_a_quota_and_go_after_fresh_requests() {
    for rig in rigs_with(settings()).await {
        let mut runner = rig.effects();
        rig.provider.always((1..=9).map(id), &Next::NoAnswer);
        request(&rig, 1..=9).await;
        for _ in 0..3 {
            attempted(&rig, &mut runner).await;
        }
        rig.clock.advance(rig.settings.backoff_max);
        request(&rig, 20..30).await;
        let asked = attempted(&rig, &mut runner).await;
        let fresh: HashSet<_> = (20..30).map(id).collect();
        let retries = asked.iter().filter(|asked| !fresh.contains(asked)).count();
        assert!((1..=2).contains(&retries), "{retries} retries among {}", asked.len());
        assert!(asked[..asked.len() - retries].iter().all(|asked| fresh.contains(asked)));
    }
}

#[tokio::test]
async fn retries_that_wait_in_vain_do_not_keep_fresh_requests_in_the_table() {
    for rig in rigs_with(settings()).await {
        let mut runner = rig.effects();
        rig.provider.always((1..200).map(id), &Next::NoAnswer);
        request(&rig, 1..200).await;
        rig.execute("update effect set attempts = 1, due_at = 0", vec![]).await;
        let (mut other, sql) =
            (rig.effects_of(&rig.another()), "update effect set due_at = 1 where attempts = 0");
        request(&rig, [500]).await;
        rig.execute(sql, vec![]).await;
        let asked = attempted(&rig, &mut other).await;
        assert!(asked.contains(&id(500)), "{} asked", asked.len());
        drop(attempted(&rig, &mut runner).await);
    }
}

#[tokio::test]
async fn an_open_breaker_lets_through_keys_that_do_not_fail() {
    for rig in rigs_with(Settings { effects_concurrency: 16, ..settings() }).await {
        let mut runner = rig.effects();
        rig.provider.always(crowd(100).map(id), &Next::NoAnswer);
        request(&rig, crowd(12)).await;
        assert_eq!(attempted(&rig, &mut runner).await.len(), 12);
        rig.clock.advance(Duration::from_millis(400));
        request(&rig, [CROWD + 50]).await;
        assert!(attempted(&rig, &mut runner).await.is_empty(), "the breaker is open");

        request(&rig, [1]).await;
        assert_eq!(attempted(&rig, &mut runner).await, [id(1)], "its key does not fail");
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
        let asked = attempted(&rig, &mut runner).await;
        assert!(asked.contains(&id(CROWD + 50)), "the answer has closed the breaker: {asked:?}");
    }
}

#[tokio::test]
async fn an_outage_is_probed_and_its_end_makes_all_requests_due() {
    for rig in rigs_with(Settings { effects_concurrency: 16, ..settings() }).await {
        let mut runner = rig.effects();
        rig.provider.always((1..=12).map(id), &Next::NoAnswer);
        request(&rig, 1..=12).await;
        assert_eq!(attempted(&rig, &mut runner).await.len(), 12);
        for pause in [500, 1_000, 2_000, 4_000, 5_000] {
            rig.clock.advance(Duration::from_millis(pause - 1));
            assert_eq!(attempted(&rig, &mut runner).await.len(), 0, "before {pause} ms");
            rig.clock.advance(Duration::from_millis(1));
            assert_eq!(attempted(&rig, &mut runner).await.len(), 1, "a probe after {pause} ms");
        }
        rig.provider.heal();
        rig.clock.advance(Duration::from_secs(5));
        assert_eq!(attempted(&rig, &mut runner).await.len(), 1, "a probe, which is answered");
        // Retries have two slots. No time passes here, because the requests that were put off are due.
        let mut steps = 0;
        while rig.count("effect").await > 0 {
            assert!(!attempted(&rig, &mut runner).await.is_empty());
            rig.clock.advance(rig.settings.poll);
            steps += 1;
            assert!(steps < 20);
        }
    }
}

#[tokio::test]
async fn a_probe_that_panics_counts_as_failed() {
    for rig in rigs_with(Settings { effects_concurrency: 16, ..settings() }).await {
        let mut runner = rig.effects();
        rig.provider.always((1..=12).map(id), &Next::NoAnswer);
        request(&rig, 1..=12).await;
        attempted(&rig, &mut runner).await;
        rig.provider.always((1..=12).map(id), &Next::Panic);
        rig.clock.advance(Duration::from_millis(500));
        assert_eq!(attempted(&rig, &mut runner).await.len(), 1, "a probe, which panics");
        rig.clock.advance(Duration::from_millis(999));
        assert!(attempted(&rig, &mut runner).await.is_empty());
        rig.clock.advance(Duration::from_millis(1));
        assert_eq!(attempted(&rig, &mut runner).await.len(), 1);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_request() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.provider.plan(vec![Next::NoAnswer; 3]);
        request(&rig, 1..=3).await;
        attempted(&rig, &mut runner).await;
        let now = clock::Clock::now(&*rig.clock);
        rig.clock.set(now - Duration::from_hours(1));
        rig.clock.advance(Duration::from_mins(1));
        assert_eq!(attempted(&rig, &mut runner).await.len(), 3);
        assert_eq!(rig.count("effect").await, 0);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_repeats_no_request() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        request(&rig, 1..=3).await;
        let now = clock::Clock::now(&*rig.clock);
        rig.clock.set(now + Duration::from_hours(24));
        assert_eq!(attempted(&rig, &mut runner).await.len(), 3);
        rig.clock.advance(rig.settings.claim);
        assert_eq!(attempted(&rig, &mut runner).await.len(), 0);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_less_than_a_pause_delays_no_request_either() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.provider.always([id(1)], &Next::NoAnswer);
        request(&rig, [1]).await;
        let pause = async || {
            let now = clock::Clock::now(&*rig.clock).as_microsecond();
            rig.number("select due_at from effect").await - now
        };
        attempted(&rig, &mut runner).await;
        while pause().await < 400_000_000 {
            rig.clock.advance(rig.settings.poll.max(Duration::from_secs(5)));
            attempted(&rig, &mut runner).await;
        }
        rig.provider.heal();
        let now = clock::Clock::now(&*rig.clock);
        rig.clock.set(now - Duration::from_mins(5));
        assert_eq!(attempted(&rig, &mut runner).await, [id(1)]);
        assert_eq!(rig.count("effect").await, 0);
    }
}
