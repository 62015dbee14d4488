//! Parses the documentation of a service's reactions: the first lines of its files, and the table in its README.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The first line of a reaction's file: `//! In → Out | *request (Out | Out)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heading {
    /// The path of the file within the service's folder: `src/on/trip_booked.rs`.
    pub file: String,
    /// The inputs.
    pub inputs: Vec<String>,
    /// The text after the arrow.
    pub text: String,
    /// The events that the reaction emits, and its requests (`*name`).
    pub outputs: BTreeSet<String>,
    /// For each request, the events that may follow from its answer.
    pub answers: Vec<(String, BTreeSet<String>)>,
}

/// The headings of a service's reactions, sorted by their files.
///
/// # Panics
/// If a file cannot be read or has no such first line.
#[must_use]
pub fn headings(service: &Path) -> Vec<Heading> {
    let mut files: Vec<PathBuf> = ["src/on", "src/undo"]
        .iter()
        .filter_map(|folder| fs::read_dir(service.join(folder)).ok())
        .flat_map(|entries| entries.map(|entry| entry.expect("a folder's entry").path()))
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .collect();
    files.sort();
    files.iter().map(|path| heading(service, path)).collect()
}

fn heading(service: &Path, path: &Path) -> Heading {
    let file = path.strip_prefix(service).expect("below the service").display().to_string();
    let source = fs::read_to_string(path).expect("a readable file");
    let line = source.lines().next().and_then(|line| line.strip_prefix("//! "));
    let (inputs, text) = line
        .and_then(|line| line.split_once(" → "))
        .unwrap_or_else(|| panic!("{file} does not begin with `//! In → Out`"));
    let Outputs { outputs, answers } = parse(text);
    let inputs = inputs.split(" | ").map(ToOwned::to_owned).collect();
    Heading { file, inputs, text: text.to_owned(), outputs, answers }
}

/// The parsed text after the arrow; see [`Heading`].
#[derive(Debug, Default, PartialEq, Eq)]
struct Outputs {
    outputs: BTreeSet<String>,
    answers: Vec<(String, BTreeSet<String>)>,
}

fn parse(text: &str) -> Outputs {
    let (mut outputs, mut answers) = (BTreeSet::new(), Vec::new());
    if text == "nothing" {
        return Outputs::default();
    }
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find([' ', '|']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        outputs.insert(name.to_owned());
        rest = after.trim_start();
        if let Some(inner) = rest.strip_prefix('(') {
            let (events, after) = inner.split_once(')').expect("a closing parenthesis");
            let events = events.split(" | ").map(ToOwned::to_owned).collect();
            answers.push((name.to_owned(), events));
            rest = after.trim_start();
        }
        rest = rest.strip_prefix('|').unwrap_or(rest).trim_start();
    }
    Outputs { outputs, answers }
}

/// A row `| in | out | file |` of the table of reactions in a service's README.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableRow {
    /// The text of the column of inputs.
    pub inputs: String,
    /// The text of the column of outputs.
    pub outputs: String,
    /// The path of the file within the service's folder.
    pub file: String,
}

/// The rows of the table of reactions in a service's README.
///
/// # Panics
/// If there is no README.
#[must_use]
pub fn readme_table(service: &Path) -> Vec<TableRow> {
    let readme = fs::read_to_string(service.join("README.md")).expect("a README");
    readme.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<TableRow> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [input, output, path] = cells[..] else { return None };
    let file = path.split_once("](")?.1.strip_suffix(')')?;
    let plain = |cell: &str| cell.replace('`', "").replace("\\|", "|");
    Some(TableRow { inputs: plain(input), outputs: plain(output), file: file.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_events_and_requests_with_the_events_after_their_answers() {
        let Outputs { outputs, answers } = parse("TripEnded | *refund (MoneyReturned) | Other");
        assert_eq!(outputs, ["*refund", "Other", "TripEnded"].map(Into::into).into());
        assert_eq!(answers, [("*refund".into(), ["MoneyReturned".into()].into())]);
        assert_eq!(parse("nothing"), Outputs::default());
    }
}
