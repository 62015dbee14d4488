//! Requests that are held for an operator.

use std::time::Duration;

use event::EffectId;
use quintet_engine::{Effect, Resolution, ResolveError, Settings};

use crate::{
    rig::{Next, Rig, rigs, rigs_with},
    toy::Ask,
    work::{ask, tally},
};

fn id(number: u128) -> EffectId {
    Ask(tally(number)).id()
}

fn answered(number: &str) -> Resolution {
    Resolution { outcome: "answered".into(), reference: Some(number.into()), reason: None }
}

async fn held(rig: &Rig) -> i64 {
    rig.engine.queues().await.unwrap().effects_held
}

/// Rigs on which the request of tally 1 is refused as malformed.
async fn rigs_with_refused() -> Vec<Rig> {
    let rigs = rigs().await;
    for rig in &rigs {
        rig.provider.always([id(1)], &Next::Refuse);
        rig.apply(&[ask(1, tally(1))]).await;
        assert!(rig.effects().step().await.unwrap().is_empty());
        assert_eq!(rig.provider.asked(), [id(1)]);
    }
    rigs
}

#[tokio::test]
async fn a_request_that_is_refused_as_malformed_is_held_and_still_attempted() {
    for rig in rigs_with_refused().await {
        assert_eq!(held(&rig).await, 1);
        let page = rig.engine.effects(true, None, 10).await.unwrap();
        let view = &page.effects[0];
        assert_eq!((view.id, view.attempts, page.next), (id(1), 1, None));
        assert_eq!(view.last_error.as_deref(), Some("400"));
        assert!(view.held_since.is_some());

        let mut runner = rig.effects();
        rig.clock.advance((rig.settings.backoff_max / 2).saturating_sub(Duration::from_millis(1)));
        assert!(runner.step().await.unwrap().is_empty());
        assert!(rig.provider.asked().is_empty(), "it waits for at least half of the longest pause");
        rig.provider.heal();
        rig.clock.advance(rig.settings.backoff_max);
        let outcomes = runner.step().await.unwrap();
        rig.apply(&outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
        assert_eq!((held(&rig).await, rig.count("effect").await), (0, 0));
    }
}

#[tokio::test]
async fn a_request_without_an_answer_for_too_long_is_held() {
    let settings = Settings { hold_after: Duration::from_mins(30), ..Settings::default() };
    for rig in rigs_with(settings).await {
        let mut runner = rig.effects();
        rig.provider.always([id(1)], &Next::NoAnswer);
        rig.apply(&[ask(1, tally(1))]).await;
        let mut minutes = 0;
        while held(&rig).await == 0 {
            assert!(minutes < 60, "the request is held within an hour");
            runner.step().await.unwrap();
            rig.clock.advance(Duration::from_mins(1));
            minutes += 1;
        }
        assert!(minutes >= 30, "held after {minutes} minutes");
        let attempts = rig.number("select attempts from effect").await;
        assert!(attempts < 20, "{attempts} attempts: the pauses grow");
    }
}

#[tokio::test]
async fn an_operator_has_a_held_request_attempted_at_once() {
    for rig in rigs_with_refused().await {
        rig.provider.heal();
        assert_eq!(rig.engine.retry_effects(Some(id(2))).await.unwrap(), 0, "no such request");
        assert_eq!(rig.engine.retry_effects(Some(id(1))).await.unwrap(), 1);
        let outcomes = rig.effects().step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        assert_eq!(rig.engine.retry_effects(None).await.unwrap(), 1, "until it is applied");
        rig.apply(&outcomes).await;
        assert_eq!(rig.engine.retry_effects(None).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_operators_outcome_is_applied_once_and_the_provider_is_not_asked() {
    for rig in rigs_with_refused().await {
        let applied_at = rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap();
        let mut runner = rig.effects();
        assert!(runner.step().await.unwrap().is_empty(), "an attempt might still be under way");
        assert!(applied_at > clock::Clock::now(&*rig.clock));
        rig.clock.advance(rig.settings.claim);
        let outcomes = runner.step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        assert!(rig.provider.asked().is_empty());
        rig.apply(&outcomes).await;
        assert_eq!(rig.apply(&outcomes).await.duplicates, 1);
        assert_eq!(rig.log(tally(1)).await, "ask, answer 9");
        assert_eq!(held(&rig).await, 0);
    }
}

#[tokio::test]
async fn a_reported_outcome_survives_a_restart() {
    for rig in rigs_with_refused().await {
        rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap();
        rig.clock.advance(rig.settings.claim);
        let next = rig.another();
        let outcomes = rig.effects_of(&next).step().await.unwrap();
        crate::rig::apply(&next, &outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 9");
        assert!(rig.provider.asked().is_empty());
    }
}

#[tokio::test]
async fn the_providers_answer_counts_if_it_comes_before_the_operators() {
    for rig in rigs_with_refused().await {
        rig.provider.heal();
        rig.engine.retry_effects(Some(id(1))).await.unwrap();
        let outcomes = rig.effects().step().await.unwrap();
        rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap();
        rig.apply(&outcomes).await;
        rig.clock.advance(rig.settings.claim);
        assert!(rig.effects().step().await.unwrap().is_empty());
        assert_eq!(rig.log(tally(1)).await, "ask, answer 5");
    }
}

#[tokio::test]
async fn only_a_held_request_takes_an_outcome_and_only_one_that_it_can_have() {
    for rig in rigs_with_refused().await {
        rig.apply(&[ask(2, tally(2))]).await;
        let resolve = async |number, resolution: &Resolution| {
            rig.engine.resolve_effect(id(number), resolution).await.unwrap_err()
        };
        assert!(matches!(resolve(2, &answered("9")).await, ResolveError::NotHeld));
        assert!(matches!(resolve(3, &answered("9")).await, ResolveError::Unknown));
        let nothing = Resolution { reference: None, ..answered("") };
        for (resolution, expected) in [
            (answered("nine"), "reference must be a number"),
            (
                answered(" "),
                "reference must be 1 to 500 characters, none of them a control character",
            ),
            (nothing, "reference is missing: the outcome answered has the provider's reference"),
            (Resolution { outcome: "lost".into(), ..answered("9") }, "outcome must be answered"),
        ] {
            assert_eq!(resolve(1, &resolution).await.to_string(), expected);
        }
        assert_eq!(rig.engine.effect(id(1)).await.unwrap().unwrap().resolution, None);
    }
}

#[tokio::test]
async fn a_reported_outcome_keeps_its_time_whatever_happens() {
    for rig in rigs_with_refused().await {
        let applied_at = rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap();
        rig.clock.advance(Duration::from_secs(1));
        assert_eq!(rig.engine.retry_effects(Some(id(1))).await.unwrap(), 0);
        assert_eq!(rig.engine.retry_effects(None).await.unwrap(), 0);
        rig.another().take_stock().await;
        assert_eq!(rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap(), applied_at);
        let other = rig.engine.resolve_effect(id(1), &answered("8")).await.unwrap_err();
        assert!(matches!(other, ResolveError::Resolved { .. }), "{other}");
        let view = rig.engine.effect(id(1)).await.unwrap().unwrap();
        assert_eq!((view.due_at, view.resolution), (applied_at, Some(answered("9"))));
        assert!(rig.effects().step().await.unwrap().is_empty());
        assert!(rig.provider.asked().is_empty(), "it is not attempted any more");
    }
}

#[tokio::test]
async fn an_outcome_is_applied_although_the_provider_is_away_and_other_requests_wait() {
    for rig in rigs_with_refused().await {
        let mut runner = rig.effects();
        rig.provider.always((2..200).map(id), &Next::NoAnswer);
        let others: Vec<_> = (2..200).map(|number| ask(number, tally(number))).collect();
        rig.apply(&others).await;
        runner.step().await.unwrap();
        rig.engine.resolve_effect(id(1), &answered("9")).await.unwrap();
        rig.clock.advance(rig.settings.claim);
        let outcomes = runner.step().await.unwrap();
        assert_eq!(outcomes.len(), 1);
        rig.apply(&outcomes).await;
        assert_eq!(rig.log(tally(1)).await, "ask, answer 9");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_holds_no_request() {
    for rig in rigs().await {
        let mut runner = rig.effects();
        rig.provider.always([id(1)], &Next::NoAnswer);
        rig.apply(&[ask(1, tally(1))]).await;
        runner.step().await.unwrap();
        let now = clock::Clock::now(&*rig.clock);
        rig.clock.set(now + rig.settings.hold_after * 2);
        rig.clock.advance(Duration::from_secs(1));
        runner.step().await.unwrap();
        assert_eq!(rig.number("select attempts from effect").await, 2);
        assert_eq!(held(&rig).await, 0);
    }
}
