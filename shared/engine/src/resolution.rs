//! The outcome of a held request, as an operator found it at the provider.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The definite outcome of a held request, as an operator found it at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// The outcome, in a word that the service knows for such a request, such as `booked` or `refused`. It is
    /// `never_arrived` if the provider has no such request and refuses it from now on.
    #[schema(example = "booked", min_length = 1, max_length = 500)]
    pub outcome: String,
    /// The provider's reference for what it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ref_1", min_length = 1, max_length = 500)]
    pub reference: Option<String>,
    /// Why the provider refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

impl Resolution {
    /// The longest outcome, reference or reason, in characters.
    pub const LONGEST_TEXT: usize = 500;

    /// The outcome of a request that the provider never received, and that it refuses from now on.
    pub const NEVER_ARRIVED: &'static str = "never_arrived";

    /// The provider's reference.
    ///
    /// # Errors
    /// If there is none.
    pub fn reference(&self) -> Result<String, Impossible> {
        self.reference.clone().ok_or_else(|| {
            let why =
                format!("is missing: the outcome {} has the provider's reference", self.outcome);
            Impossible { field: "reference", why }
        })
    }

    /// Why the provider refused: the operator's reason, or a standard one. If the request never arrived, the text says
    /// so.
    #[must_use]
    pub fn reason(&self) -> String {
        // The audit recognises by this beginning that the provider's ledger has no entry of the request.
        let never_arrived = "never arrived";
        match (self.outcome == Self::NEVER_ARRIVED, &self.reason) {
            (true, Some(reason)) => format!("{never_arrived}: {reason}"),
            (true, None) => never_arrived.to_owned(),
            (false, Some(reason)) => reason.clone(),
            (false, None) => "refused, as an operator found at the provider".to_owned(),
        }
    }

    /// Checks the lengths and characters of its texts.
    pub(crate) fn check(&self) -> Result<(), Impossible> {
        for (field, text) in [("reference", &self.reference), ("reason", &self.reason)] {
            let Some(text) = text else { continue };
            let long = text.trim().is_empty() || text.chars().count() > Self::LONGEST_TEXT;
            if long || text.contains(char::is_control) {
                let why = format!(
                    "must be 1 to {} characters, none of them a control character",
                    Self::LONGEST_TEXT
                );
                return Err(Impossible { field, why });
            }
        }
        Ok(())
    }
}

/// A request cannot have the outcome that an operator reports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct Impossible {
    /// The field of the [`Resolution`] that is wrong.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl Impossible {
    /// The request has no such outcome; `possible` lists those that it can have.
    #[must_use]
    pub fn outcome(possible: &str) -> Self {
        Self { field: "outcome", why: format!("must be {possible}") }
    }
}
