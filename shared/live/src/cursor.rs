//! Cursors: which records a client has seen, as a text that only this service can make.
//!
//! The text is base64url of a version, an HMAC-SHA256, and JSON with the epoch and the next offset of each partition.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::feed::Reset;
use crate::positions::Positions;

/// The first byte of a cursor, to be changed with its layout.
const VERSION: u8 = 1;
/// The bytes of an HMAC-SHA256.
const TAG: usize = 32;
/// The fewest bytes of a key: those of the hash, as RFC 2104 advises.
const SHORTEST_KEY: usize = 32;
/// A text that is longer cannot be a cursor: it has room for the offsets of several thousand partitions.
const LONGEST: usize = 64 << 10;
/// Authenticated with each cursor, so that no tag of another use of the key is valid for one.
const PURPOSE: &[u8] = b"quintet-live cursor 1\0";

/// The key with which cursors are authenticated. All replicas have the same. With another key, cursors from before give
/// [`Reset::Forged`].
///
/// ```
/// use quintet_live::CursorKey;
///
/// let key = CursorKey::new(b"32 or more bytes of a random secret");
/// assert!(key.is_ok());
/// assert!(CursorKey::new(b"too short").is_err());
/// ```
#[derive(Clone)]
pub struct CursorKey(hmac::Key);

/// The secret of a [`CursorKey`] has too few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of cursors has {bytes} bytes: give it at least {SHORTEST_KEY} random ones")]
pub struct ShortKey {
    /// The number of bytes.
    pub bytes: usize,
}

impl CursorKey {
    /// A key of at least 32 secret bytes.
    ///
    /// # Errors
    /// [`ShortKey`] if there are fewer.
    pub fn new(secret: &[u8]) -> Result<Self, ShortKey> {
        if secret.len() < SHORTEST_KEY {
            return Err(ShortKey { bytes: secret.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

/// A text is no cursor at all. The client has a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cursor {why}: send one exactly as the feed gave it, or none to begin with the present"
)]
pub struct CursorError {
    why: &'static str,
}

/// Why a text cannot be resumed from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is no cursor.
    NoCursor(CursorError),
    /// It looks like a cursor, and the client has to begin anew.
    Reset(Reset),
}

/// What a cursor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Which bus the offsets are of.
    #[serde(rename = "e")]
    pub(crate) epoch: Uuid,
    /// The client has seen everything before these.
    #[serde(rename = "t")]
    pub(crate) seen: Positions,
}

impl Cursor {
    /// The text for clients.
    pub(crate) fn seal(&self, key: &CursorKey) -> String {
        // Serialising a map of texts to numbers cannot fail; an empty content would be refused by `open`.
        let content = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = Vec::with_capacity(1 + TAG + content.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(hmac::sign(&key.0, &authenticated(&content)).as_ref());
        bytes.extend_from_slice(&content);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text of a cursor of this epoch.
    pub(crate) fn open(text: &str, key: &CursorKey, epoch: Uuid) -> Result<Self, Refusal> {
        let no_cursor = |why| Refusal::NoCursor(CursorError { why });
        if text.len() > LONGEST {
            return Err(no_cursor("is longer than any cursor"));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| no_cursor("is not base64url"))?;
        let [VERSION, tagged @ ..] = bytes.as_slice() else {
            return Err(no_cursor("is not of a version that this service knows"));
        };
        let (tag, content) = tagged.split_at_checked(TAG).ok_or_else(|| no_cursor("is cut off"))?;
        // In constant time.
        hmac::verify(&key.0, &authenticated(content), tag)
            .map_err(|_| Refusal::Reset(Reset::Forged))?;
        let cursor: Self = serde_json::from_slice(content)
            .map_err(|_| no_cursor("has a content that this service does not know"))?;
        if cursor.epoch == epoch { Ok(cursor) } else { Err(Refusal::Reset(Reset::OtherEpoch)) }
    }
}

fn authenticated(content: &[u8]) -> Vec<u8> {
    [PURPOSE, content].concat()
}

#[cfg(test)]
mod tests {
    use bus::Position;
    use proptest::prelude::*;

    use super::*;

    const EPOCH: Uuid = Uuid::from_u128(7);

    fn key(byte: u8) -> CursorKey {
        CursorKey::new(&[byte; 32]).unwrap()
    }

    fn cursor(next: i64) -> Cursor {
        let position = Position { topic: "trips".to_owned(), partition: 1, next };
        Cursor { epoch: EPOCH, seen: vec![position].into() }
    }

    fn open(text: &str) -> Result<Cursor, Refusal> {
        Cursor::open(text, &key(1), EPOCH)
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_is_fit_for_a_url() {
        let text = cursor(12).seal(&key(1));
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{text}");
        assert_eq!(open(&text), Ok(cursor(12)));
    }

    #[test]
    fn a_cursor_with_another_key_or_of_another_epoch_is_a_reset() {
        let forged = cursor(12).seal(&key(2));
        assert_eq!(open(&forged), Err(Refusal::Reset(Reset::Forged)));
        let other = Cursor { epoch: Uuid::from_u128(8), ..cursor(12) };
        assert_eq!(open(&other.seal(&key(1))), Err(Refusal::Reset(Reset::OtherEpoch)));
    }

    #[test]
    fn garbage_is_an_error_that_says_what_to_send() {
        let long = "A".repeat(LONGEST + 1);
        let cut = URL_SAFE_NO_PAD.encode([VERSION; TAG]);
        for (garbage, why) in [
            ("", "version"),
            ("AQ==", "base64url"),
            ("not a cursor", "base64url"),
            ("Zm9v", "version"),
            (&cut, "cut off"),
            (&long, "longer"),
        ] {
            let Err(Refusal::NoCursor(error)) = open(garbage) else { panic!("{garbage:.20}") };
            let text = error.to_string();
            assert!(text.contains(why) && text.contains("or none to begin"), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_shown_and_has_at_least_the_bytes_of_the_hash() {
        assert_eq!(format!("{:?}", key(65)), "CursorKey(…)");
        let error = CursorKey::new(&[0; 31]).unwrap_err();
        assert!(error.to_string().contains("31 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn a_cursor_in_which_any_bit_was_changed_is_refused(byte in 0..96_usize, bit in 0..8_u8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(cursor(12).seal(&key(1))).unwrap();
            let byte = byte % bytes.len();
            bytes[byte] ^= 1 << bit;
            let refused = open(&URL_SAFE_NO_PAD.encode(bytes));
            // The first byte is the version.
            if byte == 0 {
                prop_assert!(matches!(refused, Err(Refusal::NoCursor(_))));
            } else {
                prop_assert_eq!(refused, Err(Refusal::Reset(Reset::Forged)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            prop_assert!(open(&text).is_err());
        }
    }
}
