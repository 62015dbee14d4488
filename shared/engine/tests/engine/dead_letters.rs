//! What cannot be applied is parked, and its tally with it, until an operator has it replayed or
//! throws it away.

use std::time::Duration;

use event::ATTEMPT_HEADER;
use quintet_engine::{Cause, Engine, Lane, Parking, Reason, Remembered, Turn, TurnError};
use store::Class;
use testkit::toy::TallyId;
use uuid::Uuid;

use crate::{
    rig::{Rig, rigs},
    toy::{ALARM, Add, FIXED, Toy},
    work::{Works, add, arm, ask, command, event_id, outcome, tally, tell},
};

const INSTANT: Duration = Duration::from_micros(1);

impl Rig {
    /// Turns a batch as production does: what cannot be applied is parked. Answers how often it took.
    pub async fn settle(&self, batch: &[Works]) -> (Turn<Toy>, usize) {
        settle(&self.engine, batch, Parking::default()).await
    }

    /// Turns what an operator wants replayed until there is no more; answers how many letters that was.
    pub async fn replay(&self, lane: impl Into<Uuid>) -> usize {
        let lane = lane.into();
        self.engine.replay(lane).await.unwrap().expect("it is parked");
        let mut letters = 0;
        while let works = self.engine.replays().turn::<Toy>().await.unwrap()
            && !works.is_empty()
        {
            letters += works.len();
            self.settle(&works).await;
        }
        letters
    }

    pub async fn lane(&self, lane: impl Into<Uuid>) -> Lane {
        self.engine.dead_letter(lane.into()).await.unwrap().expect("it is parked")
    }

    /// Why each letter of a lane is there, in order.
    async fn causes(&self, lane: impl Into<Uuid>) -> Vec<Cause> {
        self.lane(lane).await.letters.into_iter().map(|letter| letter.cause).collect()
    }

    pub async fn nothing_is_parked(&self) {
        assert_eq!((self.count("parked").await, self.count("dead_letter").await), (0, 0));
    }
}

pub async fn settle(
    engine: &Engine<Toy>,
    batch: &[Works],
    mut parking: Parking,
) -> (Turn<Toy>, usize) {
    let mut remembered = Remembered::<Toy>::new();
    for attempt in 1.. {
        match engine.turn_parking(batch, &parking, &mut remembered).await {
            Ok(turn) => return (turn, attempt),
            Err(TurnError::Poison { culprit, reason }) => parking.refuse(culprit, reason),
            Err(TurnError::Store(error)) => assert_eq!(error.class(), Class::Conflict, "{error}"),
        }
    }
    unreachable!()
}

pub fn poison(number: u128, tally_id: TallyId) -> Works {
    tell(number, tally_id, "unfixed")
}

/// Lets what [`poison`] says be applied from now on. Commands are not parked.
pub fn fix(number: u128, tally_id: TallyId) -> Works {
    command(number, tally_id, FIXED)
}

#[tokio::test]
async fn what_cannot_be_applied_is_parked_with_what_follows_it_of_its_order() {
    for rig in rigs().await {
        rig.turn(&[ask(1, tally(1))]).await;
        let batch = [add(2, tally(1)), poison(3, tally(1)), add(4, tally(2)), add(5, tally(1))];
        let (turn, attempts) = rig.settle(&batch).await;
        assert_eq!((attempts, turn.parked, turn.duplicates), (2, 2, 0));
        assert_eq!(turn.positions[0].next, 6);
        assert_eq!(rig.log(tally(1)).await, "ask, add");
        assert_eq!(rig.log(tally(2)).await, "add");
        assert_eq!(rig.causes(tally(1)).await, [Cause::Panicked, Cause::Behind]);

        // Outcomes and commands pass, other tallies too; the same events again change nothing.
        let later = [outcome(tally(1), 7), add(6, tally(1)), add(7, tally(3)), poison(3, tally(1))];
        let (turn, attempts) = rig.settle(&later).await;
        assert_eq!((attempts, turn.parked), (1, 1));
        assert_eq!(rig.log(tally(1)).await, "ask, add, answer 7");
        assert_eq!(rig.log(tally(3)).await, "add");
        assert_eq!(rig.count("dead_letter").await, 3);
        let known = "select count(*) from inbox where id in ($1, $2, $3)";
        let ids = [3, 5, 6].map(|number| event_id(number).into()).to_vec();
        let known: i64 = rig.db.fetch(known, ids).await.unwrap()[0].get(0).unwrap();
        assert_eq!(known, 0, "the inbox knows what was not applied");
    }
}

#[tokio::test]
async fn a_replay_applies_what_is_parked_in_order_and_the_order_goes_on() {
    for rig in rigs().await {
        let batch = [poison(1, tally(1)), add(2, tally(1)), ask(3, tally(1))];
        rig.settle(&batch).await;
        rig.turn(&[fix(4, tally(1))]).await;
        assert_eq!(rig.replay(tally(1)).await, 3);
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add, ask");
        rig.nothing_is_parked().await;

        // It is known to the inbox now, and what follows is applied as it comes.
        let turn = rig.turn(&[batch.into_iter().next().unwrap(), add(5, tally(1))]).await;
        assert_eq!((turn.duplicates, turn.parked), (1, 0));
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add, ask, add");
        assert_eq!(rig.engine.replay(tally(1).into()).await.unwrap().map(|it| it.letters), None);
    }
}

#[tokio::test]
async fn a_replay_that_fails_again_counts_and_lets_nothing_pass() {
    for rig in rigs().await {
        rig.settle(&[add(1, tally(1)), poison(2, tally(1)), add(3, tally(1))]).await;
        for attempt in 2..4 {
            assert_eq!(rig.replay(tally(1)).await, 2);
            let lane = rig.lane(tally(1)).await;
            let [first, second] = &lane.letters[..] else { panic!("{lane:?}") };
            assert!(!lane.replaying);
            assert_eq!((first.attempts, second.attempts), (attempt, 0));
            assert_eq!(first.errors, ["the reaction to Told panicked", "not fixed"]);
            assert_eq!(rig.log(tally(1)).await, "add");
        }
        rig.engine.replay(tally(1).into()).await.unwrap();
        let works = rig.engine.replays().turn::<Toy>().await.unwrap();
        let record = works[0].origin.record().unwrap();
        assert_eq!(record.headers.get(ATTEMPT_HEADER), Some(b"4".as_slice()));
    }
}

#[tokio::test]
async fn a_letter_is_not_applied_before_its_turn() {
    for rig in rigs().await {
        rig.settle(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.turn(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let mut works = rig.engine.replays().turn::<Toy>().await.unwrap();
        let second = works.pop().unwrap();
        let (turn, _) = rig.settle(&[second]).await;
        assert_eq!(turn.duplicates, 0);
        assert_eq!(rig.log(tally(1)).await, "command 100");
        assert_eq!(rig.count("dead_letter").await, 2);

        // Once is enough, whoever else replays it.
        rig.settle(&works).await;
        let (again, _) = rig.settle(&works).await;
        assert_eq!(again.emitted, 0);
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed");
    }
}

#[tokio::test]
async fn a_letter_that_comes_from_its_topic_once_more_is_applied_all_the_same() {
    for rig in rigs().await {
        rig.settle(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.turn(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let letters = rig.engine.replays().turn::<Toy>().await.unwrap();
        let batch: Vec<Works> = [add(2, tally(1))].into_iter().chain(letters).collect();
        rig.settle(&batch).await;
        assert_eq!(rig.log(tally(1)).await, "command 100, unfixed, add");
        rig.nothing_is_parked().await;
        assert_eq!(rig.turn(&[add(2, tally(1))]).await.duplicates, 1);
    }
}

#[tokio::test]
async fn what_is_discarded_while_its_replay_is_under_way_is_not_applied() {
    for rig in rigs().await {
        rig.settle(&[poison(1, tally(1)), add(2, tally(1))]).await;
        rig.turn(&[fix(3, tally(1))]).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let letters = rig.engine.replays().turn::<Toy>().await.unwrap();
        rig.engine.discard(tally(1).into(), true).await.unwrap();
        rig.settle(&letters).await;
        assert_eq!(rig.log(tally(1)).await, "command 100");
    }
}

#[test]
fn what_is_refused_is_known_by_its_place() {
    let mut parking = Parking::default();
    parking.refuse(1, Reason { cause: Cause::Refused, errors: vec!["no".into()] });
    assert!(parking.refuses(1) && !parking.refuses(0));
}

#[tokio::test]
async fn what_is_discarded_is_never_applied_and_what_waited_behind_it_can_be() {
    for rig in rigs().await {
        rig.settle(&[poison(1, tally(1)), add(2, tally(1)), add(3, tally(1))]).await;
        let discarded = rig.engine.discard(tally(1).into(), false).await.unwrap().unwrap();
        assert_eq!((discarded.discarded, discarded.left), (1, 2));
        assert_eq!(rig.causes(tally(1)).await, [Cause::Behind, Cause::Behind]);
        assert_eq!(rig.settle(&[poison(1, tally(1))]).await.0.duplicates, 1);
        assert_eq!(rig.replay(tally(1)).await, 2);
        assert_eq!(rig.log(tally(1)).await, "add, add");

        rig.settle(&[poison(4, tally(2)), add(5, tally(2))]).await;
        let discarded = rig.engine.discard(tally(2).into(), true).await.unwrap().unwrap();
        assert_eq!((discarded.discarded, discarded.left), (2, 0));
        rig.nothing_is_parked().await;
        assert!(rig.engine.discard(tally(2).into(), true).await.unwrap().is_none());
        assert_eq!(rig.settle(&[add(5, tally(2)), add(6, tally(2))]).await.0.duplicates, 1);
        assert_eq!(rig.log(tally(2)).await, "add");
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_applied_stays_with_its_effect_and_is_tried_again() {
    for rig in rigs().await {
        rig.turn(&[ask(1, tally(1))]).await;
        rig.settle(&[add(2, tally(1)), outcome(tally(1), Add::PANICS)]).await;
        assert_eq!(rig.log(tally(1)).await, "ask, add");
        assert_eq!(rig.count("effect").await, 1);
        let parked = rig.engine.dead_letters(None, 10).await.unwrap();
        assert_eq!((parked.held.len(), parked.lanes.len()), (1, 0));
        assert_eq!(parked.held[0].why, "the reaction to an outcome panicked: told to");
        assert_eq!(rig.engine.queues().await.unwrap().held, 1);

        rig.turn(&[fix(3, tally(1))]).await;
        assert_eq!(rig.engine.replay(tally(1).into()).await.unwrap().unwrap().held, 1);
        let due = "select count(*) from effect where due_at <= $1";
        let now = clock::Clock::now(&*rig.clock).into();
        let due: i64 = rig.db.fetch(due, vec![now]).await.unwrap()[0].get(0).unwrap();
        assert_eq!(due, 1);
        rig.settle(&[outcome(tally(1), Add::PANICS)]).await;
        assert_eq!(rig.log(tally(1)).await, "ask, add, command 100, answer 666");
        assert_eq!(rig.engine.queues().await.unwrap().held, 0);
    }
}

#[tokio::test]
async fn an_alarm_that_cannot_be_applied_stays_set_and_rings_again() {
    for rig in rigs().await {
        rig.turn(&[tell(1, tally(1), "jam"), arm(2, tally(1))]).await;
        rig.clock.advance(ALARM);
        let ringing = rig.engine.alarms().turn::<Toy>().await.unwrap();
        rig.settle(&ringing).await;
        assert_eq!(rig.log(tally(1)).await, "jam, arm");
        let held = rig.engine.dead_letters(None, 10).await.unwrap().held;
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].why, "the reaction to ring panicked: told to");
        rig.clock.advance(rig.settings.refused_pause.saturating_sub(INSTANT));
        assert!(rig.engine.alarms().turn::<Toy>().await.unwrap().is_empty(), "put off");

        rig.turn(&[fix(3, tally(1))]).await;
        assert_eq!(rig.engine.replay(tally(1).into()).await.unwrap().unwrap().held, 1);
        let ringing = rig.engine.alarms().turn::<Toy>().await.unwrap();
        rig.settle(&ringing).await;
        assert_eq!(rig.log(tally(1)).await, "jam, arm, command 100, ring");
        assert_eq!((rig.count("alarm").await, rig.engine.queues().await.unwrap().held), (0, 0));
    }
}
