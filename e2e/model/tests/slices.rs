//! Parts of what `cargo run --release -p model` plays in full.

use model::{Reactions, Scenario, search};

const THREADS: usize = 2;

fn check(scenario: &Scenario) {
    let found = search(scenario, &Reactions::default(), THREADS);
    println!("{found}");
    assert!(found.holds(), "{found}");
}

#[test]
fn one_order() {
    check(&Scenario { lost_answers: false, asides: false, ..Scenario::ONE_ORDER });
}

#[test]
fn one_order_whose_answers_are_lost() {
    check(&Scenario { deadlines: false, asides: false, ..Scenario::ONE_ORDER });
}

#[test]
fn mails_come_and_are_answered_at_any_time() {
    let quiet = Scenario { cancellations: false, deadlines: false, ..Scenario::ONE_ORDER };
    check(&Scenario { lost_answers: false, ..quiet });
}

#[test]
fn one_order_for_what_is_not_there() {
    check(&Scenario { asides: false, ..Scenario::NO_STOCK });
}

#[test]
fn two_orders_for_one_piece() {
    check(&Scenario { cancellations: false, ..Scenario::TWO_ORDERS });
}
