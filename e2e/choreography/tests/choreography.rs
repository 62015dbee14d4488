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

/// A test for each service, and what all of them emit and hear. A service that publishes events belongs here; how its
/// states are walked is in `src/services.rs`.
macro_rules! services {
    ($($name:ident: $service:ty;)*) => {
        $(#[test]
        fn $name() {
            check::<$service>();
        })*

        fn emitted() -> BTreeMap<&'static str, BTreeSet<String>> {
            [$((<$service>::NAME, emitted_by::<$service>())),*].into()
        }

        fn heard() -> BTreeSet<EventType> {
            [$(<$service>::CONSUMES),*].into_iter().flatten().copied().collect()
        }
    };
}

services! {
    order: OrderService;
    inventory: InventoryService;
    payment: PaymentService;
    shipping: ShippingService;
    notification: NotificationService;
}

/// Events that no service hears, for readers outside of the suite.
const UNHEARD: &[EventType] = &[];

fn emitted_by<P: Explored>() -> BTreeSet<String> {
    explore::<P>().into_values().flatten().filter(|name| !name.starts_with('*')).collect()
}

/// An event's publisher is the service that emits it: the contract's column, checked against the services.
#[test]
fn every_event_is_emitted_by_its_publisher_alone() {
    let emitted = emitted();
    for event in EventType::ALL {
        let publisher = event.publisher().as_str();
        assert!(
            emitted.contains_key(publisher),
            "{event} is published by {publisher}, which is not explored: implement `Explored` for it in \
             e2e/choreography/src/services.rs, and name it under `services!` in this file"
        );
        let by = emitted.iter().filter(|(_, emits)| emits.contains(event.as_str()));
        assert_eq!(by.map(|(name, _)| *name).collect::<Vec<_>>(), [publisher], "{event}");
    }
}

#[test]
fn every_event_is_heard_by_a_service() {
    let heard = heard();
    for event in EventType::ALL {
        assert_ne!(
            heard.contains(event),
            UNHEARD.contains(event),
            "{event} is heard by no service and not in UNHEARD of this file, or both"
        );
    }
}
