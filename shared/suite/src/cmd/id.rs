//! The id of an aggregate, as users name it: a UUID in any spelling, or its end, which the rows of `up` show.

use crate::palette::{cut, printable};
use anyhow::{Result, bail};
use uuid::Uuid;

/// How many hexadecimal digits of a UUID rows show: the last ones, since the first ones of a UUIDv7 are a time.
const SHOWN: usize = 8;
/// How many digits an end has at least. The last group of a UUID has twelve.
const ENDS: std::ops::RangeInclusive<usize> = 6..=12;
/// The length of a hyphenated UUID.
const UUID: usize = 36;

/// The id that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id(Named);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Whole(String),
    End(String),
}

impl Id {
    /// # Errors
    /// If the text is neither a UUID nor the end of one.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Ok(id) = Uuid::parse_str(text) {
            return Ok(Self(Named::Whole(id.to_string())));
        }
        let end = text.trim_start_matches('…').to_lowercase();
        if ENDS.contains(&end.len()) && end.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self(Named::End(end)));
        }
        bail!(
            "{text:.40} is no id: give a UUID, or the last {SHOWN} digits of one, as `up` shows them"
        )
    }

    /// Whether this key of a record is the id.
    pub(crate) fn is(&self, key: &[u8]) -> bool {
        match &self.0 {
            Named::Whole(id) => key == id.as_bytes(),
            Named::End(end) => key.len() == UUID && key.ends_with(end.as_bytes()),
        }
    }

    /// Whether the text contains the id.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let end = match &self.0 {
            Named::Whole(id) => return text.contains(id),
            Named::End(end) => end,
        };
        // The end of another number, such as of a trace id, is not the end of a UUID.
        let mut found = text.match_indices(end.as_str()).map(|(at, _)| at + end.len());
        found.any(|end| {
            let whole = end.checked_sub(UUID).and_then(|begin| text.get(begin..end));
            whole.is_some_and(|whole| Uuid::try_parse(whole).is_ok())
        })
    }
}

/// The key of a record for a row: the end of a UUID; of another text, its beginning. An address is masked.
pub(crate) fn short(key: &str) -> String {
    match Uuid::try_parse(key) {
        Ok(id) => {
            let digits = id.simple().to_string();
            digits[digits.len() - SHOWN..].to_owned()
        }
        Err(_) if key.contains('@') => "…".to_owned(),
        Err(_) => cut(&printable(key), 2 * SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a1fe42-9258-7ba5-b604-8abaca0e01a8";

    #[test]
    fn an_id_is_named_in_any_spelling_or_by_its_end() {
        for named in [ID, "01A1FE42-9258-7BA5-B604-8ABACA0E01A8", "ca0e01a8", "…CA0E01A8 "] {
            let id = Id::parse(named).unwrap();
            assert!(id.is(ID.as_bytes()) && !id.is(b"ca0e01a8"), "{named}");
            assert!(id.is_in(&format!("about {ID}, late")), "{named}");
            assert!(!id.is_in("trace 01a1fe4292587ba5b6048abaca0e01a8 ca0e01a8 größe"), "{named}");
        }
        assert!(!Id::parse("ca0e01a7").unwrap().is(ID.as_bytes()));
        for wrong in ["7", "", "ca0e0", "order 7", "8abaca0e01a80"] {
            let error = Id::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("is no id: give a UUID, or the last 8 digits"), "{error}");
        }
    }

    #[test]
    fn a_row_shows_the_end_of_an_id_and_no_address() {
        assert_eq!(short(ID), "ca0e01a8");
        assert_eq!(short("mug"), "mug");
        assert_eq!(short(&"x".repeat(30)), format!("{}…", "x".repeat(15)));
        assert_eq!(short("ada@example.com"), "…");
    }
}
