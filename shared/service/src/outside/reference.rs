use serde::Deserialize;

use super::LONGEST_TEXT;
use crate::http::fault;

/// A name that a provider has given to a booking, a ticket or the like. It is stored and sent back unchanged, since a
/// changed name names something else. If it cannot be stored unchanged, the provider's answer counts as no answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference(String);

impl TryFrom<String> for Reference {
    type Error = UnusableReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        fault(&text, LONGEST_TEXT).map_or(Ok(Self(text)), |why| Err(UnusableReference(why)))
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

/// A provider's reference cannot be stored unchanged.
#[derive(Debug, thiserror::Error)]
#[error("the provider's reference {0}")]
pub struct UnusableReference(String);
