//! A batch of N equals N batches of one.

use proptest::prelude::*;
use quintet_engine::{Answer, Settings};
use testkit::Database;

use crate::{
    rig::{Rig, answers},
    toy::{ALARM, Tally, Toy},
    work::{Works, add, arm, ask, command, disarm, keyed, order, outcome, ring, tell},
};

const ORDERS: u128 = 3;

/// What can come in; the number says for which order.
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
    /// The event before once more.
    Repeat,
}

fn op() -> impl Strategy<Value = Op> {
    let order = || 1..=ORDERS;
    prop_oneof![
        order().prop_map(Op::Add),
        order().prop_map(Op::Ask),
        order().prop_map(Op::Arm),
        order().prop_map(Op::Disarm),
        order().prop_map(Op::Burst),
        order().prop_map(Op::Outcome),
        order().prop_map(Op::Ring),
        (order(), 0..3_i64).prop_map(|(order, by)| Op::Command(order, by)),
        (order(), 0..3_i64, any::<bool>()).prop_map(|(order, by, key)| Op::Keyed(order, by, key)),
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
            Op::Add(n) => add(number, order(n)),
            Op::Ask(n) => ask(number, order(n)),
            Op::Arm(n) => arm(number, order(n)),
            Op::Disarm(n) => disarm(number, order(n)),
            Op::Burst(n) => tell(number, order(n), "burst 3"),
            // A second one would be the answer to what this batch asks, and nobody was asked yet.
            Op::Outcome(n) if answered.contains(&n) => continue,
            Op::Outcome(n) => {
                answered.push(n);
                outcome(order(n), 5)
            }
            Op::Ring(n) => ring(order(n)),
            Op::Command(n, by) => command(number, order(n), by),
            Op::Keyed(n, by, key) => keyed(number, order(n), by, if key { "a" } else { "b" }),
            Op::Repeat => add(number, order(1)),
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

/// What is in the database after these batches. Each order has asked and its alarm is due.
async fn after(works: &[Works], size: usize) -> State {
    let rig = Rig::new(Database::in_memory().await, Settings::default()).await;
    let before = (1..=ORDERS).flat_map(|n| [ask(n, order(n)), arm(10 + n, order(n))]);
    rig.turn(&before.collect::<Vec<_>>()).await;
    rig.clock.advance(ALARM);
    let mut all = Vec::new();
    for batch in works.chunks(size) {
        all.extend(answers(rig.turn(batch).await));
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
