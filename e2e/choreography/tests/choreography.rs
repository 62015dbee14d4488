//! The tree is the saga: what stands in the files' first lines and in the READMEs is what the
//! services do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use choreography::{Explored, Heading, Reactions, explore, headings, readme_table};
use contracts::EventType;
use engine::Participant;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use shipping::ShippingService;

fn folder<P: Explored>() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services").join(P::NAME)
}

/// What the headings say, as what was explored says it.
fn said(headings: &[Heading]) -> Reactions {
    let mut said = Reactions::new();
    for heading in headings {
        for input in &heading.inputs {
            let clash = said.insert(input.clone(), heading.outputs.clone());
            assert!(clash.is_none(), "{input} has two files");
        }
    }
    said
}

/// `*charge` is answered in `charge_answered.rs`, `@first_deadline` rings in `first_deadline.rs`,
/// `StockReserved` comes in `stock_reserved.rs`.
fn file_name(input: &str) -> String {
    if let Some(request) = input.strip_prefix('*') {
        return format!("{request}_answered.rs");
    }
    let mut name = String::new();
    for c in input.trim_start_matches('@').chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name + ".rs"
}

fn check<P: Explored>() {
    let headings = headings(&folder::<P>());
    let said = said(&headings);
    let done = explore::<P>();
    assert_eq!(said, done, "{}: left what the headings say, right what it does", P::NAME);

    let event_types: BTreeSet<String> = EventType::ALL.iter().map(ToString::to_string).collect();
    let heard: BTreeSet<&String> = said.keys().filter(|name| event_types.contains(*name)).collect();
    let subscribed: BTreeSet<String> = P::CONSUMES.iter().map(ToString::to_string).collect();
    assert_eq!(heard, subscribed.iter().collect(), "{}: its subscription", P::NAME);

    for heading in &headings {
        if let [input] = &heading.inputs[..] {
            let file = heading.file.rsplit('/').next().unwrap_or_default();
            assert_eq!(file, file_name(input), "{}", heading.file);
        }
        for (request, events) in &heading.answers {
            let answer: BTreeSet<String> =
                done[request].iter().filter(|name| !name.starts_with('*')).cloned().collect();
            assert_eq!(events, &answer, "{}: what follows from {request}", heading.file);
        }
    }

    let table: BTreeMap<String, (String, String)> = readme_table(&folder::<P>())
        .into_iter()
        .map(|(input, output, file)| (file, (input, output)))
        .collect();
    let expected: BTreeMap<String, (String, String)> = headings
        .into_iter()
        .map(|heading| (heading.file, (heading.inputs.join(" | "), heading.text)))
        .collect();
    assert_eq!(table, expected, "{}: left its README, right its files", P::NAME);
}

#[test]
fn order() {
    check::<OrderService>();
}

#[test]
fn inventory() {
    check::<InventoryService>();
}

#[test]
fn payment() {
    check::<PaymentService>();
}

#[test]
fn shipping() {
    check::<ShippingService>();
}

#[test]
fn notification() {
    check::<NotificationService>();
}

/// Who publishes an event is who emits it: the contract's column, checked against the services.
#[test]
fn every_event_is_emitted_by_its_publisher_and_heard_by_somebody() {
    let emitted = |reactions: Reactions| -> BTreeSet<String> {
        reactions.into_values().flatten().filter(|name| !name.starts_with('*')).collect()
    };
    let services = [
        (OrderService::publisher(), emitted(explore::<OrderService>())),
        (InventoryService::publisher(), emitted(explore::<InventoryService>())),
        (PaymentService::publisher(), emitted(explore::<PaymentService>())),
        (ShippingService::publisher(), emitted(explore::<ShippingService>())),
        (NotificationService::publisher(), emitted(explore::<NotificationService>())),
    ];
    for event in EventType::ALL {
        let by: Vec<&str> = services
            .iter()
            .filter(|(_, emits)| emits.contains(event.as_str()))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(by, [event.publisher().as_str()], "{event}");
    }
    let heard: BTreeSet<EventType> = [
        OrderService::CONSUMES,
        InventoryService::CONSUMES,
        PaymentService::CONSUMES,
        ShippingService::CONSUMES,
        NotificationService::CONSUMES,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    assert_eq!(heard.len(), EventType::ALL.len());
}

/// A service's name, as the contract's publishers are named.
trait Named {
    fn publisher() -> &'static str;
}

impl<P: Explored> Named for P {
    fn publisher() -> &'static str {
        P::NAME
    }
}
