//! A batch of N inputs has the same result as N batches of one input.

use proptest::prelude::*;
use quintet_engine::{Answer, Settings};
use testkit::Database;

use crate::{
    rig::{Rig, answers},
    toy::{ALARM, Tally, Toy},
    work::{Works, add, arm, ask, command, disarm, keyed, outcome, ring, tally, tell},
};

const TALLIES: u128 = 3;

/// An input. The first number names its tally.
#[derive(Debug, Clone, Copy)]
enum Op {
    Add(u128),
    Ask(u128),
    Arm(u128),
    Disarm(u128),
    Burst(u128),
    Outcome(u128),
    Ring(u128),
    Command(u128, i64),
    Keyed(u128, i64, bool),
    /// The previous event once more.
    Repeat,
}

fn op() -> impl Strategy<Value = Op> {
    let number = || 1..=TALLIES;
    prop_oneof![
        number().prop_map(Op::Add),
        number().prop_map(Op::Ask),
        number().prop_map(Op::Arm),
        number().prop_map(Op::Disarm),
        number().prop_map(Op::Burst),
        number().prop_map(Op::Outcome),
        number().prop_map(Op::Ring),
        (number(), 0..3_i64).prop_map(|(number, by)| Op::Command(number, by)),
        (number(), 0..3_i64, any::<bool>())
            .prop_map(|(number, by, key)| Op::Keyed(number, by, key)),
        Just(Op::Repeat),
    ]
}

fn works(ops: &[Op]) -> Vec<Works> {
    let mut answered = Vec::new();
    let mut works = Vec::new();
    let mut number = 100;
    for op in ops {
        number += u128::from(!matches!(op, Op::Repeat));
        works.push(match *op {
            Op::Add(n) => add(number, tally(n)),
            Op::Ask(n) => ask(number, tally(n)),
            Op::Arm(n) => arm(number, tally(n)),
            Op::Disarm(n) => disarm(number, tally(n)),
            Op::Burst(n) => tell(number, tally(n), "burst 3"),
            // A second outcome would answer a request of this batch, which the provider has not been asked yet.
            Op::Outcome(n) if answered.contains(&n) => continue,
            Op::Outcome(n) => {
                answered.push(n);
                outcome(tally(n), 5)
            }
            Op::Ring(n) => ring(tally(n)),
            Op::Command(n, by) => command(number, tally(n), by),
            Op::Keyed(n, by, key) => keyed(number, tally(n), by, if key { "a" } else { "b" }),
            Op::Repeat => add(number, tally(1)),
        });
    }
    works
}

#[derive(Debug, PartialEq)]
struct State {
    tallies: Vec<Tally>,
    tables: Vec<Vec<Vec<u8>>>,
    answers: Vec<Answer<Toy>>,
}

/// The database after these inputs, applied in batches of `size`. Before them, each tally has a request that waits and
/// an alarm that is due.
async fn after(works: &[Works], size: usize) -> State {
    let rig = Rig::new(Database::in_memory().await, Settings::default()).await;
    let before = (1..=TALLIES).flat_map(|n| [ask(n, tally(n)), arm(10 + n, tally(n))]);
    rig.apply(&before.collect::<Vec<_>>()).await;
    rig.clock.advance(ALARM);
    let mut all = Vec::new();
    for batch in works.chunks(size) {
        all.extend(answers(rig.apply(batch).await));
    }
    let mut tables = Vec::new();
    for sql in [
        "select event_id from outbox_event order by id, place",
        "select id from inbox order by id",
        "select id from effect order by id",
        "select cast(id || rings_at as blob) from alarm order by id",
        "select cast(key || reply || hash as blob) from idempotency_key order by key",
    ] {
        let rows = rig.db.fetch(sql, vec![]).await.unwrap();
        tables.push(rows.iter().map(|row| row.get(0).unwrap()).collect());
    }
    State { tallies: rig.db.page(None, 100).await.unwrap(), tables, answers: all }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_of_many_equals_many_batches_of_one(
        ops in proptest::collection::vec(op(), 1..25),
        size in 2..25_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let works = works(&ops);
        let (many, one) = runtime.block_on(async { (after(&works, size).await, after(&works, 1).await) });
        prop_assert_eq!(many, one);
    }
}
