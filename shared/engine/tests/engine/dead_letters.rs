//! A record that cannot be applied is parked, and its tally with it, until an operator has it replayed or
//! discards it.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Wake, Waker},
    time::Duration,
};

use event::ATTEMPT_HEADER;
use quintet_engine::{
    Applied, BatchError, Cause, DeadLetterQueue, Engine, Poison, Reason, UnconfirmedAnswers,
};
use store::Class;
use testkit::toy::TallyId;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    rig::{Rig, rigs},
    toy::{ALARM, Add, FIXED, Toy},
    work::{Works, add, arm, ask, command, event_id, outcome, tally, tell},
};

const INSTANT: Duration = Duration::from_micros(1);

impl Rig {
    /// Applies a batch as production does: events that cannot be applied are parked. Returns how many attempts it took.
    pub async fn apply_until_committed(&self, batch: &[Works]) -> (Applied<Toy>, usize) {
        apply_until_committed(&self.engine, batch, Poison::default()).await
    }

    /// Replays a queue until there is no more to replay; returns how many dead letters were tried.
    pub async fn replay(&self, queue: impl Into<Uuid>) -> usize {
        self.engine.replay(queue.into()).await.unwrap().expect("it is parked");
        let mut tried = 0;
        while let works = self.engine.replays().step::<Toy>().await.unwrap()
            && !works.is_empty()
        {
            tried += works.len();
            self.apply_until_committed(&works).await;
        }
        tried
    }

    pub async fn dead_letter_queue(&self, id: impl Into<Uuid>) -> DeadLetterQueue {
        self.engine.dead_letter_queue(id.into()).await.unwrap().expect("it is parked")
    }

    /// Why each dead letter of a queue is parked, in order.
    async fn causes(&self, queue: impl Into<Uuid>) -> Vec<Cause> {
        let dead_letters = self.dead_letter_queue(queue).await.dead_letters;
        dead_letters.into_iter().map(|dead_letter| dead_letter.cause).collect()
    }

    pub async fn nothing_is_parked(&self) {
        for table in ["dead_letter_queue", "dead_letter"] {
            assert_eq!(self.count(table).await, 0, "{table}");
        }
    }
}

pub async fn apply_until_committed(
    engine: &Engine<Toy>,
    batch: &[Works],
    mut poison: Poison,
) -> (Applied<Toy>, usize) {
    let mut unconfirmed = UnconfirmedAnswers::<Toy>::new();
    for attempt in 1.. {
        match engine.apply_batch_without(batch, &poison, &mut unconfirmed).await {
            Ok(applied) => return (applied, attempt),
            Err(BatchError::Poison { culprit, reason }) => poison.add(culprit, reason),
            Err(BatchError::Store(error)) => assert_eq!(error.class(), Class::Conflict, "{error}"),
        }
    }
    unreachable!()
}

pub fn poison(number: u128, tally_id: TallyId) -> Works {
    tell(number, tally_id, "unfixed")
}

/// From now on, the events of [`poison`] can be applied. Commands are not parked.
pub fn fix(number: u128, tally_id: TallyId) -> Works {
    command(number, tally_id, FIXED)
}

#[tokio::test]
async fn an_event_that_cannot_be_applied_is_parked_with_the_later_events_of_its_order() {
    for rig in rigs().await {
        rig.apply(&[ask(1, tally(1))]).await;
        let batch = [add(2, tally(1)), poison(3, tally(1)), add(4, tally(2)), add(5, tally(1))];
        let (applied, attempts) = rig.apply_until_committed(&batch).await;
        assert_eq!((attempts, applied.parked, applied.duplicates), (2, 2, 0));
        assert_eq!(applied.positions[0].next, 6);
        assert_eq!(rig.log(tally(1)).await, "ask, add");
        assert_eq!(rig.log(tally(2)).await, "add");
        assert_eq!(rig.causes(tally(1)).await, [Cause::Panicked, Cause::Behind]);

        // Outcomes of the order are applied, and events of other tallies. A repeated event changes nothing.
        let later = [outcome(tally(1), 7), add(6, tally(1)), add(7, tally(3)), poison(3, tally(1))];
        let (applied, attempts) = rig.apply_until_committed(&later).await;
        assert_eq!((attempts, applied.parked), (1, 1));
        assert_eq!(rig.log(tally(1)).await, "ask, add, answer 7");
        assert_eq!(rig.log(tally(3)).await, "add");
        assert_eq!(rig.count("dead_letter").await, 3);
        let known = "select count(*) from inbox where id in ($1, $2, $3)";
        let ids = [3, 5, 6].map(|number| event_id(number).into()).to_vec();
        let known: i64 = rig.db.fetch(known, ids).await.unwrap()[0].get(0).unwrap();
        assert_eq!(known, 0, "the inbox knows events that were not applied");
    }
}

#[tokio::test]
async fn a_replay_applies_dead_letters_in_sequence_and_the_order_goes_on() {
    for rig in rigs().await {
        let batch = [poison(1, tally(1)), add(2, tally(1)), ask(3, tally(1))];
        rig.apply_until_committed(&batch).await;
        rig.apply(&[fix(4, tally(1))]).await;
        assert_eq!(rig.replay(tally(1)).await, 3);
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add, ask");
        rig.nothing_is_parked().await;

        // The inbox knows the events now, and later ones are applied as they arrive.
        let applied = rig.apply(&[batch.into_iter().next().unwrap(), add(5, tally(1))]).await;
        assert_eq!((applied.duplicates, applied.parked), (1, 0));
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add, ask, add");
        assert_eq!(
            rig.engine.replay(tally(1).into()).await.unwrap().map(|it| it.dead_letters),
            None
        );
    }
}

#[tokio::test]
async fn a_replay_that_fails_again_counts_the_attempt_and_applies_no_later_dead_letter() {
    for rig in rigs().await {
        rig.apply_until_committed(&[add(1, tally(1)), poison(2, tally(1)), add(3, tally(1))]).await;
        for attempt in 2..4 {
            assert_eq!(rig.replay(tally(1)).await, 2);
            let queue = rig.dead_letter_queue(tally(1)).await;
            let [first, second] = &queue.dead_letters[..] else { panic!("{queue:?}") };
            assert!(!queue.replaying);
            assert_eq!((first.attempts, second.attempts), (attempt, 0));
            assert_eq!(first.errors, ["the reaction to Noted panicked", "not fixed"]);
            assert_eq!(rig.log(tally(1)).await, "add");
        }
        rig.engine.replay(tally(1).into()).await.unwrap();
        let works = rig.engine.replays().step::<Toy>().await.unwrap();
        let record = works[0].origin.record().unwrap();
        assert_eq!(record.headers.get(ATTEMPT_HEADER), Some(b"4".as_slice()));
    }
}

#[tokio::test]
async fn a_dead_letter_is_not_applied_before_those_ahead_of_it() {
    for rig in rigs().await {
        rig.apply_until_committed(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.apply(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let mut works = rig.engine.replays().step::<Toy>().await.unwrap();
        let second = works.pop().unwrap();
        let (applied, _) = rig.apply_until_committed(&[second]).await;
        assert_eq!(applied.duplicates, 0);
        assert_eq!(rig.log(tally(1)).await, "command 100");
        assert_eq!(rig.count("dead_letter").await, 2);

        // Two replicas may replay the same dead letter: it is applied once.
        rig.apply_until_committed(&works).await;
        let (again, _) = rig.apply_until_committed(&works).await;
        assert_eq!(again.emitted, 0);
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed");
    }
}

#[tokio::test]
async fn a_dead_letter_that_the_broker_delivers_again_is_applied_by_its_replay() {
    for rig in rigs().await {
        rig.apply_until_committed(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.apply(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let dead_letters = rig.engine.replays().step::<Toy>().await.unwrap();
        let batch: Vec<Works> = [add(2, tally(1))].into_iter().chain(dead_letters).collect();
        rig.apply_until_committed(&batch).await;
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add");
        rig.nothing_is_parked().await;
        assert_eq!(rig.apply(&[add(2, tally(1))]).await.duplicates, 1);
    }
}

#[tokio::test]
async fn a_dead_letter_that_is_discarded_during_its_replay_is_not_applied() {
    for rig in rigs().await {
        rig.apply_until_committed(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.apply(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let dead_letters = rig.engine.replays().step::<Toy>().await.unwrap();
        rig.engine.discard(tally(1).into(), true).await.unwrap();
        rig.apply_until_committed(&dead_letters).await;
        assert_eq!(rig.log(tally(1)).await, "command 100");
    }
}

#[tokio::test]
async fn a_discarded_dead_letter_is_never_applied_but_those_behind_it_can_be() {
    for rig in rigs().await {
        rig.apply_until_committed(&[poison(1, tally(1)), add(2, tally(1)), add(3, tally(1))]).await;
        let discarded = rig.engine.discard(tally(1).into(), false).await.unwrap().unwrap();
        assert_eq!((discarded.discarded, discarded.left), (1, 2));
        assert_eq!(rig.causes(tally(1)).await, [Cause::Behind, Cause::Behind]);
        assert_eq!(rig.apply_until_committed(&[poison(1, tally(1))]).await.0.duplicates, 1);
        assert_eq!(rig.replay(tally(1)).await, 2);
        assert_eq!(rig.log(tally(1)).await, "add, add");

        rig.apply_until_committed(&[poison(4, tally(2)), add(5, tally(2))]).await;
        let discarded = rig.engine.discard(tally(2).into(), true).await.unwrap().unwrap();
        assert_eq!((discarded.discarded, discarded.left), (2, 0));
        rig.nothing_is_parked().await;
        assert!(rig.engine.discard(tally(2).into(), true).await.unwrap().is_none());
        assert_eq!(
            rig.apply_until_committed(&[add(5, tally(2)), add(6, tally(2))]).await.0.duplicates,
            1
        );
        assert_eq!(rig.log(tally(2)).await, "add");
    }
}

/// A replica that is always in exclusive mode does not ask the database whether an order is parked. So it must remember
/// that.
#[tokio::test]
async fn an_order_that_was_parked_by_a_commit_with_an_unknown_outcome_is_remembered() {
    for rig in rigs().await {
        rig.apply(&[ask(1, tally(2))]).await;
        park_unheard(&rig, tally(1)).await;
        rig.engine.abandon_attempt();
        // After this batch the engine knows how the commit ended. The batch has no events, so that the engine does not
        // ask whether an order is parked.
        rig.apply(&[outcome(tally(2), 7)]).await;

        let (applied, _) = rig.apply_until_committed(&[add(2, tally(1))]).await;
        assert_eq!((applied.parked, rig.log(tally(1)).await), (1, String::new()));
    }
}

/// Parks an event in a batch that is dropped during its commit, before the engine learns that it committed.
async fn park_unheard(rig: &Rig, tally_id: TallyId) {
    let mut polls = 0;
    for number in 100.. {
        polls += 1;
        let batch = [add(number, tally_id)];
        let (mut poison, mut unconfirmed) = (Poison::default(), UnconfirmedAnswers::<Toy>::new());
        poison.add(0, Reason { cause: Cause::Panicked, errors: Vec::new() });
        let parks = rig.engine.apply_batch_without(&batch, &poison, &mut unconfirmed);
        if is_done_after(polls, parks).await {
            // The batch committed before it was dropped. Discard the dead letter and start again.
            rig.engine.discard(tally_id.into(), true).await.unwrap();
            polls = 0;
        } else if rig.count("dead_letter").await > 0 {
            return;
        }
    }
}

/// Polls a future at most `polls` times, each time after it was woken, and then drops it. Returns whether it completed.
async fn is_done_after<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    struct Woken(Notify);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.notify_one();
        }
    }
    let woken = Arc::new(Woken(Notify::new()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    for _ in 1..polls {
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        woken.0.notified().await;
    }
    future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
}

#[tokio::test]
async fn an_outcome_that_cannot_be_applied_stays_with_its_effect_and_is_tried_again() {
    for rig in rigs().await {
        rig.apply(&[ask(1, tally(1))]).await;
        rig.apply_until_committed(&[add(2, tally(1)), outcome(tally(1), Add::PANICS)]).await;
        assert_eq!(rig.log(tally(1)).await, "ask, add");
        assert_eq!(rig.count("effect").await, 1);
        let listed = rig.engine.dead_letters(None, 10).await.unwrap();
        assert_eq!((listed.postponed.len(), listed.queues.len()), (1, 0));
        assert_eq!(listed.postponed[0].why, "the reaction to an outcome panicked: asked to");
        assert_eq!(rig.engine.queues().await.unwrap().postponed, 1);

        rig.apply(&[fix(3, tally(1))]).await;
        assert_eq!(rig.engine.replay(tally(1).into()).await.unwrap().unwrap().postponed, 1);
        let due = "select count(*) from effect where due_at <= $1";
        let now = clock::Clock::now(&*rig.clock).into();
        let due: i64 = rig.db.fetch(due, vec![now]).await.unwrap()[0].get(0).unwrap();
        assert_eq!(due, 1);
        rig.apply_until_committed(&[outcome(tally(1), Add::PANICS)]).await;
        assert_eq!(rig.log(tally(1)).await, "ask, add, command 100, answer 666");
        assert_eq!(rig.engine.queues().await.unwrap().postponed, 0);
    }
}

#[tokio::test]
async fn an_alarm_that_cannot_be_applied_stays_set_and_rings_again() {
    for rig in rigs().await {
        rig.apply(&[tell(1, tally(1), "jam"), arm(2, tally(1))]).await;
        rig.clock.advance(ALARM);
        let ringing = rig.engine.alarms().step::<Toy>().await.unwrap();
        rig.apply_until_committed(&ringing).await;
        assert_eq!(rig.log(tally(1)).await, "jam, arm");
        let postponed = rig.engine.dead_letters(None, 10).await.unwrap().postponed;
        assert_eq!(postponed.len(), 1);
        assert_eq!(postponed[0].why, "the reaction to ring panicked: asked to");
        rig.clock.advance(rig.settings.refused_pause.saturating_sub(INSTANT));
        assert!(rig.engine.alarms().step::<Toy>().await.unwrap().is_empty(), "put off");

        rig.apply(&[fix(3, tally(1))]).await;
        assert_eq!(rig.engine.replay(tally(1).into()).await.unwrap().unwrap().postponed, 1);
        let ringing = rig.engine.alarms().step::<Toy>().await.unwrap();
        rig.apply_until_committed(&ringing).await;
        assert_eq!(rig.log(tally(1)).await, "jam, arm, command 100, ring");
        assert_eq!(
            (rig.count("alarm").await, rig.engine.queues().await.unwrap().postponed),
            (0, 0)
        );
    }
}
