//! Compares what a service's files say of its reactions with what the reactions do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use event::{Contract, EventType, TypeOf};

use super::{Heading, headings, readme_table};
use crate::{Described, Reactions, Saga, explore};

/// Checks that the first line of each file with a reaction, and the table in the service's README, say what an exploration
/// finds; and that the service emits exactly the events that it publishes by the contract. `folder` is that of the service.
///
/// # Panics
/// If any of these differ.
pub fn choreography<S: Described<G>, G: Saga>(folder: &Path) {
    let headings = headings(folder);
    let documented = documented(&headings);
    let actual = explore::<S, G>();
    assert_eq!(documented, actual, "{}: left what the headings say, right what it does", S::NAME);

    let subscribed: BTreeSet<String> = S::CONSUMES.iter().map(ToString::to_string).collect();
    let events: BTreeSet<&String> =
        documented.keys().filter(|name| names_an_event::<G::Contract>(name)).collect();
    assert_eq!(events, subscribed.iter().collect(), "{}: its subscription", S::NAME);
    for heading in &headings {
        check_heading(heading, &actual);
    }
    let emitted: BTreeSet<&str> = events_in(actual.values().flatten()).collect();
    let published = <TypeOf<G::Contract> as EventType>::ALL
        .iter()
        .filter(|event| event.publisher() == S::NAME)
        .map(|event| event.as_str())
        .collect();
    assert_eq!(emitted, published, "{}: left what it emits, right what the contract says", S::NAME);

    let table: BTreeMap<String, (String, String)> =
        readme_table(folder).into_iter().map(|row| (row.file, (row.inputs, row.outputs))).collect();
    let expected: BTreeMap<String, (String, String)> = headings
        .into_iter()
        .map(|heading| (heading.file, (heading.inputs.join(" | "), heading.text)))
        .collect();
    assert_eq!(table, expected, "{}: left its README, right its files", S::NAME);
}

/// Checks that a file with one input is named after it, and that its heading lists all events that follow from the answers
/// to its requests.
fn check_heading(heading: &Heading, actual: &Reactions) {
    if let [input] = &heading.inputs[..] {
        let file = heading.file.rsplit('/').next().unwrap_or_default();
        assert_eq!(file, file_name(input), "{}", heading.file);
    }
    for (request, events) in &heading.answers {
        let answer: BTreeSet<String> = events_in(&actual[request]).map(str::to_owned).collect();
        assert_eq!(events, &answer, "{}: what follows from {request}", heading.file);
    }
}

/// The reactions that the headings document.
fn documented(headings: &[Heading]) -> Reactions {
    let mut reactions = Reactions::new();
    for heading in headings {
        for input in &heading.inputs {
            let clash = reactions.insert(input.clone(), heading.outputs.clone());
            assert!(clash.is_none(), "{input} has two files");
        }
    }
    reactions
}

/// The events among the outputs, without the requests to the outside world.
fn events_in<'a>(outputs: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    outputs.into_iter().map(String::as_str).filter(|name| !name.starts_with('*'))
}

fn names_an_event<C: Contract>(name: &str) -> bool {
    name.parse::<TypeOf<C>>().is_ok()
}

/// The name of the file for an input: `book_answered.rs` for `*book`, `deadline.rs` for `@deadline`, `trip_booked.rs` for
/// `TripBooked`.
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
