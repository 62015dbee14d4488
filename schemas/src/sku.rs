//! The name of a product.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stock keeping unit: 1 to 64 of the characters `A-Z a-z 0-9 . _ -`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "mug")]
pub struct Sku(String);

/// A text is not a SKU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no SKU: give 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
pub struct InvalidSku(String);

impl Sku {
    /// The rule for a SKU, as the end of a sentence.
    pub const RULE: &str = "must be a SKU: 1 to 64 of the characters A-Z a-z 0-9 . _ -";

    /// The longest SKU, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), InvalidSku> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(())
        } else {
            Err(InvalidSku(format!("{text:.70}")))
        }
    }
}

impl FromStr for Sku {
    type Err = InvalidSku;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text).map(|()| Self(text.to_owned()))
    }
}

impl TryFrom<String> for Sku {
    type Error = InvalidSku;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::check(&text).map(|()| Self(text))
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_has_up_to_64_plain_characters() {
        for right in ["A", "espresso-250g", "a.b_C-9", &"x".repeat(64)] {
            let sku: Sku = right.parse().unwrap();
            assert_eq!(sku.as_str(), right);
            assert_eq!(serde_json::to_value(&sku).unwrap(), right);
            assert_eq!(serde_json::from_value::<Sku>(right.into()).unwrap(), sku);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_rule() {
        for wrong in ["", " ", "a b", "a/b", "käse", "a\n", &"x".repeat(65)] {
            let error = wrong.parse::<Sku>().unwrap_err();
            assert!(error.to_string().contains("1 to 64"), "{error}");
            assert!(serde_json::from_value::<Sku>(wrong.into()).is_err());
        }
    }
}
