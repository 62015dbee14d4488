//! Properties of the five services with the real engine on real databases. They hold for inputs in any order, any
//! number of times, and in batches of any size.

mod service;
mod services;

use std::fmt::Debug;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestError, TestRunner},
};
use service::InputPlan;
use services::{Databases, History, Plan, Services};
use testkit::Database;

/// The most choices of a case. Orders that have not ended by then end without further choices.
const CHOICES: usize = 200;

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_usize, 0..=3_usize, vec(any::<u16>(), 0..CHOICES))
        .prop_map(|(orders, stock, choices)| Plan { orders, stock, choices })
}

/// Checks this many cases, one after the other, on the same databases.
fn check<H, V: Debug>(
    cases: u32,
    database_sets: impl AsyncFn() -> H,
    values: impl Strategy<Value = V>,
    property: &impl AsyncFn(&H, V) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let database_sets = runtime.block_on(database_sets());
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let checked = runner.run(&values, |value| runtime.block_on(property(&database_sets, value)));
    match checked {
        Err(TestError::Fail(why, value)) => panic!("{why}\n{value:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
        Ok(()) => {}
    }
}

/// Everything that services store after these batches.
async fn stored(databases: &Databases, history: &History) -> Vec<String> {
    let mut all = Vec::new();
    for (mut service, batches) in databases.services().await.into_iter().zip(history) {
        for batch in batches {
            service.apply(batch).await;
        }
        all.extend(service.stored().await);
    }
    all
}

#[test]
fn the_invariants_hold_for_every_possible_order_of_inputs() {
    let databases = async || Databases::new(Database::in_memory).await;
    check(60, databases, plan(), &async |databases, plan| {
        let report = Services::play(databases, plan).await.audit().await;
        prop_assert!(report.holds(), "{report}");
        Ok(())
    });
}

#[test]
fn repeated_inputs_change_nothing() {
    let databases = async || Databases::new(Database::in_memory).await;
    let repeats = vec(any::<u16>(), 1..50);
    check(30, databases, (plan(), repeats), &async |databases, (plan, repeats)| {
        let history = Services::play(databases, plan).await.history;
        let once = stored(databases, &history).await;
        prop_assert_eq!(once, stored(databases, &repeated(&history, &repeats)).await);
        Ok(())
    });
}

/// The history with repeats: some batches also have earlier inputs or their own once more, and all batches come
/// again at the end.
fn repeated(history: &History, repeats: &[u16]) -> History {
    history.clone().map(|batches| {
        let mut taken: Vec<InputPlan> = Vec::new();
        let mut all = batches.clone();
        for (batch, repeat) in all.iter_mut().zip(repeats.iter().cycle()) {
            taken.extend(batch.iter().cloned());
            let again = taken.iter().cycle().skip(usize::from(*repeat) % taken.len());
            batch.extend(again.take(usize::from(*repeat % 3)).cloned());
        }
        all.extend(batches);
        all
    })
}

#[test]
fn a_batch_of_many_equals_many_batches_of_one_on_every_database() {
    let database_sets = async || {
        let mut database_sets = vec![Databases::new(Database::in_memory).await];
        if let Some(first) = Database::on_postgres().await {
            drop(first);
            let another = async || Database::on_postgres().await.expect("a PostgreSQL server");
            database_sets.push(Databases::new(another).await);
        }
        database_sets
    };
    check(8, database_sets, plan(), &async |database_sets, plan| {
        let history = Services::play(&database_sets[0], plan).await.history;
        let ones = history.clone().map(|batches| {
            batches.into_iter().flatten().map(|input| vec![input]).collect::<Vec<_>>()
        });
        let first = stored(&database_sets[0], &ones).await;
        for databases in database_sets {
            prop_assert_eq!(&first, &stored(databases, &ones).await);
            prop_assert_eq!(&first, &stored(databases, &history).await);
        }
        Ok(())
    });
}
