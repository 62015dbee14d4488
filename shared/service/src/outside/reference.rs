use serde::Deserialize;

use super::LONGEST_TEXT;
use crate::http::fault;

/// A name that a provider gave something: a booking, a ticket, a voucher. It is kept and sent back as it came,
/// since a name that was changed names something else. One that cannot be kept makes its answer none.
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

/// A provider's reference cannot be kept as it came.
#[derive(Debug, thiserror::Error)]
#[error("the provider's reference {0}")]
pub struct UnusableReference(String);
