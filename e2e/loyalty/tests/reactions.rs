//! The reactions of the loyalty service, without a database, a broker or a clock.

use contracts::{Event, EventType};
use loyalty::{LoyaltyService, World, customer};
use quintet::{Rows, What};
use quintet_test::{AGGREGATE, example, react};
use uuid::Uuid;

/// The world after these events about one order, and its customer.
fn after(events: &[EventType]) -> (World, Uuid) {
    let Event::OrderPlaced(placed) = example(EventType::OrderPlaced) else { unreachable!() };
    let customer = customer(&placed.customer.email);
    // The rows that a batch has asked for, none of which exists yet.
    let purchases = Rows::absent([AGGREGATE.into()]);
    let mut world = World { purchases, accounts: Rows::absent([customer]) };
    for kind in events {
        react::<LoyaltyService>(&mut world, What::Event(example(*kind)));
    }
    (world, customer)
}

fn points(events: &[EventType]) -> Option<i64> {
    let (world, customer) = after(events);
    world.accounts.get(&customer).map(|account| account.points)
}

#[test]
fn points_are_counted_once_whichever_event_comes_first_and_however_often() {
    use EventType::{OrderCancelled, OrderCompleted, OrderPlaced};
    let counted = points(&[OrderPlaced, OrderCompleted]);
    assert!(counted.is_some_and(|points| points > 0), "{counted:?}");
    assert_eq!(points(&[OrderCompleted, OrderPlaced]), counted);
    assert_eq!(points(&[OrderPlaced, OrderPlaced, OrderCompleted, OrderCompleted]), counted);
    assert_eq!(points(&[OrderPlaced, OrderCancelled]), None);
    assert_eq!(points(&[OrderCancelled, OrderPlaced]), None);
}

#[test]
fn no_row_shows_an_e_mail_address() {
    let (world, _) = after(&[EventType::OrderPlaced, EventType::OrderCompleted]);
    let shown = format!("{world:?}");
    assert!(shown.contains("points") && !shown.contains('@'), "{shown}");
}
