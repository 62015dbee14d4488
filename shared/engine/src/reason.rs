//! Why a record or an input cannot be applied: the cause that operators group by, and the errors.

use std::{any::Any, error::Error, fmt};

use event::DecodeError;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// Why a record is parked, or an outcome or alarm is postponed.
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
    /// The record breaks the contract: it cannot be decoded, or the service does not consume such an event.
    Undecodable,
    /// The event has a version that this program does not know, probably a newer one.
    UnknownVersion,
    /// The reaction to the input panicked.
    Panicked,
    /// An event that follows from the input is larger than the broker accepts.
    TooLarge,
    /// The database refuses the changes that follow from the input, because of their data.
    Refused,
    /// Nothing is wrong with the event itself: an earlier event of its aggregate was parked when it arrived.
    Behind,
}

store::text_field!(Cause);

impl Cause {
    /// Whether the record could not be decoded, so that it never was an input.
    pub(crate) fn is_unreadable(self) -> bool {
        matches!(self, Self::Undecodable | Self::UnknownVersion)
    }
}

/// The longest text of an error that is stored, in characters.
const LONGEST: usize = 2_000;
/// The longest summary, in characters.
const LONGEST_SUMMARY: usize = 200;
/// A word of this length that has a digit is taken for an id.
const ID_LENGTH: usize = 8;

/// What is wrong with an input: the cause, and the error with its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The kind of failure.
    pub cause: Cause,
    /// The error, then the errors that led to it.
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

    /// The text without numbers and ids, so that inputs that fail for the same reason have the same summary.
    pub(crate) fn summary(&self) -> String {
        let mut summary = String::new();
        let text = self.to_string();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let in_word = |letter: char| letter.is_alphanumeric() || letter == '-';
            let end = if in_word(first) {
                rest.find(|letter| !in_word(letter)).unwrap_or(rest.len())
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

/// The error and the errors that led to it, in one line.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join(": "))
    }
}

/// An error and its sources. A source is left out if the error before it includes its text.
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

/// Replaces control characters: PostgreSQL refuses NUL in text, and a line break would split a line of the log.
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
