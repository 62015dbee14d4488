use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use event::{Contract, TypeOf};

use super::{Heading, headings, readme_table};
use crate::{Described, Reactions, Saga, explore};

/// The tree is the saga: what stands in the first lines of a service's reactions, and in the table of its README, is
/// what the service does. `folder` is the service's.
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
        let answer: BTreeSet<String> =
            done[request].iter().filter(|name| !name.starts_with('*')).cloned().collect();
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
