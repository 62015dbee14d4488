//! Reads durations in the form `10s`, `1m 30s`, `2h`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error};

/// Reads a duration; for serde's `deserialize_with`.
///
/// # Errors
/// If the text is no duration, or a negative one.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let signed: SignedDuration = text
        .parse()
        .map_err(|_| D::Error::custom(format!("{text:?} is no duration such as 10s or 5m")))?;
    Duration::try_from(signed)
        .map_err(|_| D::Error::custom(format!("{text:?} is negative; give a positive duration")))
}
