//! Whether a payment survives the loss of its database depends on the topics that the service receives again first.

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

const REFUNDED: &str = "3 cancelled: nothing kept, nothing shipped";
const ENDED: &str = "1 at rest every order has ended, once";

/// The gateway has the money, but the payment service does not know it any more.
#[test]
fn if_all_topics_come_at_once_money_is_not_refunded() {
    let story = story(&payment(&[]), REFUNDED).expect("the property is broken");
    assert!(story.contains("the database is lost"), "{story}");
    assert!(story.contains("was charged 1 times and refunded 0 times"), "{story}");
}

#[test]
fn if_orders_and_inventory_come_first_all_money_is_refunded() {
    let scenario = payment(&["orders", "inventory"]);
    assert_eq!(story(&scenario, REFUNDED), None);
    assert_eq!(story(&scenario, ENDED), None);
}
