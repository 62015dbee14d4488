//! Small versions of the scenarios that `cargo run --release -p model` plays in full.

use model::{
    Freedom::{Asides, Cancellations, Deadlines, Held, LostAnswers},
    Reactions, Scenario, search,
};

const THREADS: usize = 2;

fn check(scenario: &Scenario) {
    let found = search(scenario, &Reactions::default(), THREADS);
    println!("{found}");
    assert!(found.holds(), "{found}");
}

#[test]
fn one_order() {
    check(&Scenario { freedoms: &[Cancellations, Deadlines], ..Scenario::ONE_ORDER });
}

#[test]
fn one_order_whose_answers_are_lost() {
    check(&Scenario { freedoms: &[Cancellations, LostAnswers], ..Scenario::ONE_ORDER });
}

#[test]
fn one_order_whose_requests_never_arrive() {
    check(&Scenario { freedoms: &[Cancellations, Held], ..Scenario::ONE_ORDER });
}

#[test]
fn mails_are_requested_and_answered_at_any_time() {
    check(&Scenario { freedoms: &[Asides], ..Scenario::ONE_ORDER });
}

#[test]
fn one_order_for_a_product_out_of_stock() {
    check(&Scenario { freedoms: &[Cancellations, Deadlines], ..Scenario::NO_STOCK });
}

#[test]
fn inventory_is_restored() {
    check(&Scenario::INVENTORY_LOST);
}

#[test]
fn notification_is_restored() {
    check(&Scenario { freedoms: &[Asides], ..Scenario::NOTIFICATION_LOST });
}

#[test]
fn two_orders_for_one_piece() {
    check(&Scenario { freedoms: &[], ..Scenario::TWO_ORDERS });
}
