//! What becomes of a payment whose database is lost depends on what it hears again first.

use model::Publisher;
use model::{Freedom::Cancellations, Reactions, Restored, Scenario, counterexample};

const fn payment(first: &'static [&'static str]) -> Scenario {
    let restored = Some(Restored { service: Publisher::Payment, first });
    Scenario { refusals: 0, freedoms: &[Cancellations], restored, ..Scenario::ONE_ORDER }
}

fn story(scenario: &Scenario, property: &'static str) -> Option<String> {
    let story = counterexample(scenario, &Reactions::default(), property, usize::MAX);
    story.map(|story| story.join("\n"))
}

const KEPT: &str = "3 cancelled: nothing kept, nothing shipped";
const ENDED: &str = "1 at rest every order has ended, once";

/// The gateway has the money, and payment does not know it any more.
#[test]
fn all_at_once_money_is_kept() {
    let told = story(&payment(&[]), KEPT).expect("it is found");
    assert!(told.contains("the database is lost"), "{told}");
    assert!(told.contains("was charged 1 times and refunded 0 times"), "{told}");
}

#[test]
fn what_goes_forward_first_and_alone_no_money_is_kept() {
    let scenario = payment(&["orders", "inventory"]);
    assert_eq!(story(&scenario, KEPT), None);
    assert_eq!(story(&scenario, ENDED), None);
}
