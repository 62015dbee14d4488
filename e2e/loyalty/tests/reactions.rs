//! What loyalty's reactions do, without a database, a broker or a clock.

use std::path::Path;

use choreography::{ORDER, TableRow, example, headings, readme_table};
use contracts::{Event, EventType};
use jiff::Timestamp;
use loyalty::{LoyaltyService, World, customer};
use quintet::{Input, Participant, Reaction, Rows, Trace, What};
use uuid::Uuid;

/// The world after these events about one order, and its customer.
fn after(events: &[EventType]) -> (World, Uuid) {
    let Event::OrderPlaced(placed) = example(EventType::OrderPlaced) else { unreachable!() };
    let customer = customer(&placed.customer.email);
    // The rows that a batch has asked for, none of which exists yet.
    let purchases = Rows::absent([ORDER.into()]);
    let mut world = World { purchases, accounts: Rows::absent([customer]) };
    let (cause, at, trace) = (Uuid::from_u128(1), Timestamp::UNIX_EPOCH, Trace::default());
    for kind in events {
        let what = What::Event(example(*kind));
        let input = Input { cause, at, trace: trace.clone(), what };
        LoyaltyService::react(&mut world, &input, &mut Reaction::new(cause, at));
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
fn no_row_shows_a_mail_address() {
    let (world, _) = after(&[EventType::OrderPlaced, EventType::OrderCompleted]);
    let shown = format!("{world:?}");
    assert!(shown.contains("points") && !shown.contains('@'), "{shown}");
}

#[test]
fn the_table_of_the_readme_is_the_first_lines_of_the_files() {
    let service = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut table = readme_table(service);
    let headings = headings(service).into_iter();
    let rows = headings.map(|it| TableRow {
        inputs: it.inputs.join(" | "),
        outputs: it.text,
        file: it.file,
    });
    let mut expected: Vec<_> = rows.collect();
    table.sort();
    expected.sort();
    assert_eq!(table, expected);
}
