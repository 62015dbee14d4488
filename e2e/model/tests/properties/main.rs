//! The five services with the real engine on real databases: whatever comes in which order, how often, and
//! how much of it at once.

mod company;
mod seat;

use std::fmt::Debug;

use company::{Company, History, House, Plan};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestError, TestRunner},
};
use seat::Told;
use testkit::Database;

/// Choices of one case, at most: its orders have ended by then, or go on to do so by themselves.
const CHOICES: usize = 200;

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_usize, 0..=3_usize, vec(any::<u16>(), 0..CHOICES))
        .prop_map(|(orders, stock, choices)| Plan { orders, stock, choices })
}

/// Checks so many cases, one after the other, on the same databases.
fn check<H, V: Debug>(
    cases: u32,
    houses: impl AsyncFn() -> H,
    values: impl Strategy<Value = V>,
    property: &impl AsyncFn(&H, V) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let houses = runtime.block_on(houses());
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let checked = runner.run(&values, |value| runtime.block_on(property(&houses, value)));
    match checked {
        Err(TestError::Fail(why, value)) => panic!("{why}\n{value:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
        Ok(()) => {}
    }
}

/// All that is kept by services that have taken these batches.
async fn kept(house: &House, history: &History) -> Vec<String> {
    let mut all = Vec::new();
    for (mut seat, batches) in house.seats().await.into_iter().zip(history) {
        for batch in batches {
            seat.turn(batch).await;
        }
        all.extend(seat.kept().await);
    }
    all
}

#[test]
fn in_any_order_in_which_things_can_happen_the_invariants_hold() {
    let house = async || House::new(Database::in_memory).await;
    check(60, house, plan(), &async |house, plan| {
        let report = Company::play(house, plan).await.audit().await;
        prop_assert!(report.holds(), "{report}");
        Ok(())
    });
}

#[test]
fn what_is_taken_again_leaves_everything_as_it_was() {
    let house = async || House::new(Database::in_memory).await;
    let repeats = vec(any::<u16>(), 1..50);
    check(30, house, (plan(), repeats), &async |house, (plan, repeats)| {
        let history = Company::play(house, plan).await.history;
        let once = kept(house, &history).await;
        prop_assert_eq!(once, kept(house, &repeated(&history, &repeats)).await);
        Ok(())
    });
}

/// Each batch, some with what was taken before it or in it; and at the end all of them once more.
fn repeated(history: &History, repeats: &[u16]) -> History {
    history.clone().map(|batches| {
        let mut taken: Vec<Told> = Vec::new();
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
    let houses = async || {
        let mut houses = vec![House::new(Database::in_memory).await];
        if let Some(first) = Database::on_postgres().await {
            drop(first);
            let another = async || Database::on_postgres().await.expect("the server is named");
            houses.push(House::new(another).await);
        }
        houses
    };
    check(8, houses, plan(), &async |houses, plan| {
        let history = Company::play(&houses[0], plan).await.history;
        let ones = history.clone().map(|batches| {
            batches.into_iter().flatten().map(|told| vec![told]).collect::<Vec<_>>()
        });
        let first = kept(&houses[0], &ones).await;
        for house in houses {
            prop_assert_eq!(&first, &kept(house, &ones).await);
            prop_assert_eq!(&first, &kept(house, &history).await);
        }
        Ok(())
    });
}
