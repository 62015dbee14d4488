use std::{any::Any, error::Error, fmt};

use event::DecodeError;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// Why something is parked.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    ToSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// The record does not keep to the contract.
    Undecodable,
    /// Its version is not known here, likely a newer one.
    UnknownVersion,
    /// The reaction to it panicked.
    Panicked,
    /// What follows from it is larger than what the broker takes.
    TooLarge,
    /// The database refuses what follows from it, as data.
    Refused,
    /// Nothing is wrong with it: an earlier event of its aggregate is parked, or was.
    Behind,
}

store::text_field!(Cause);

impl Cause {
    /// Whether the record could not even be understood.
    pub(crate) fn is_unreadable(self) -> bool {
        matches!(self, Self::Undecodable | Self::UnknownVersion)
    }
}

/// The longest text of an error that is kept, in characters.
const LONGEST: usize = 2_000;
/// The longest summary.
const LONGEST_SUMMARY: usize = 200;
/// A word of this length with a digit in it is an id of some kind.
const ID_LENGTH: usize = 8;

/// What is wrong with an input: the cause, and the error with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Of what kind it is.
    pub cause: Cause,
    /// The error, then its sources.
    pub errors: Vec<String>,
}

impl Reason {
    pub(crate) fn new(cause: Cause, errors: impl IntoIterator<Item = String>) -> Self {
        Self { cause, errors: errors.into_iter().map(|error| printable(&error)).collect() }
    }

    pub(crate) fn unreadable(error: &DecodeError) -> Self {
        let cause = match error {
            DecodeError::UnknownVersion { .. } => Cause::UnknownVersion,
            _ => Cause::Undecodable,
        };
        Self::new(cause, chain(error))
    }

    pub(crate) fn panicked(input: &str, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let why = format!("the reaction to {input} panicked");
        Self::new(Cause::Panicked, [why, text.unwrap_or_else(|| "no message".to_owned())])
    }

    pub(crate) fn refused(error: &StoreError) -> Self {
        Self::new(Cause::Refused, chain(error))
    }

    pub(crate) fn behind() -> Self {
        let why = "it came after an event of its aggregate that is parked";
        Self::new(Cause::Behind, [why.to_owned()])
    }

    pub(crate) fn foreign() -> Self {
        let why = "this service does not react to such an event (any more): discard it";
        Self::new(Cause::Undecodable, [why.to_owned()])
    }

    /// The same for all that have the same thing wrong with them: without numbers and ids.
    pub(crate) fn summary(&self) -> String {
        let mut summary = String::new();
        let text = self.to_string();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let in_word = |it: char| it.is_alphanumeric() || it == '-';
            let end = if in_word(first) {
                rest.find(|it| !in_word(it)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(end);
            summary.push_str(if is_particular(word) { "…" } else { word });
            rest = after;
        }
        summary.chars().take(LONGEST_SUMMARY).collect()
    }
}

/// The error and what led to it, in one line.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join(": "))
    }
}

/// An error and its sources, those left out whose text the one before repeats.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = source.source();
    }
    texts
}

/// PostgreSQL takes no NUL, a log no line breaks.
fn printable(text: &str) -> String {
    text.chars().take(LONGEST).map(|it| if it.is_control() { ' ' } else { it }).collect()
}

fn is_particular(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    digits > 0 && (digits == word.len() || word.len() >= ID_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_neither_numbers_nor_ids() {
        let id = "018f3a5c-1b2d-7c3e-8f40-112233445566";
        let errors = [format!("event {id} has 1200 bytes"), "TripBooked v3\nis unknown".into()];
        let reason = Reason::new(Cause::TooLarge, errors);
        assert_eq!(reason.summary(), "event … has … bytes: TripBooked v3 is unknown");
    }
}
