use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use event::{Contract, EventType, TypeOf};

use super::{Heading, headings, readme_table};
use crate::{Described, Reactions, Saga, explore};

/// The tree is the saga: what stands in the first lines of a service's reactions, and in the table of its README, is
/// what the service does. It emits each event that the contract says it publishes, and no other. `folder` is the
/// service's.
///
/// # Panics
/// If one says something else than the other.
pub fn choreography<S: Described<G>, G: Saga>(folder: &Path) {
    let headings = headings(folder);
    let said = said(&headings);
    let done = explore::<S, G>();
    assert_eq!(said, done, "{}: left what the headings say, right what it does", S::NAME);

    let subscribed: BTreeSet<String> = S::CONSUMES.iter().map(ToString::to_string).collect();
    let heard: BTreeSet<&String> =
        said.keys().filter(|name| names_an_event::<G::Contract>(name)).collect();
    assert_eq!(heard, subscribed.iter().collect(), "{}: its subscription", S::NAME);
    for heading in &headings {
        check_heading(heading, &done);
    }
    let emitted: BTreeSet<&str> = events_in(done.values().flatten()).collect();
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

/// A file has the name of its one input, and tells all that follows from an answer.
fn check_heading(heading: &Heading, done: &Reactions) {
    if let [input] = &heading.inputs[..] {
        let file = heading.file.rsplit('/').next().unwrap_or_default();
        assert_eq!(file, file_name(input), "{}", heading.file);
    }
    for (request, events) in &heading.answers {
        let answer: BTreeSet<String> = events_in(&done[request]).map(str::to_owned).collect();
        assert_eq!(events, &answer, "{}: what follows from {request}", heading.file);
    }
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

/// Without the requests to the outside world.
fn events_in<'a>(outputs: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    outputs.into_iter().map(String::as_str).filter(|name| !name.starts_with('*'))
}

fn names_an_event<C: Contract>(name: &str) -> bool {
    name.parse::<TypeOf<C>>().is_ok()
}

/// `*book` is answered in `book_answered.rs`, `@deadline` rings in `deadline.rs`, `TripBooked` comes in
/// `trip_booked.rs`.
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
