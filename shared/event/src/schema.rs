//! The JSON Schemas, which are compiled into the program.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

/// The schema of one version of an event's data.
#[derive(Debug)]
pub struct Schema<T> {
    /// The event's type.
    pub event_type: T,
    /// The version, counted from 1.
    pub version: u32,
    /// The schema's `$id` and the event's `ce_dataschema`, such as `urn:arcade:schemas:served:v1`.
    pub id: &'static str,
    /// The text of the schema.
    pub text: &'static str,
    /// The text of the example beside it.
    pub example: &'static str,
    validator: OnceLock<Validator>,
}

/// Data that does not follow its schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` violates {schema}: {message}")]
pub struct Violation {
    /// The schema's `$id`.
    pub schema: &'static str,
    /// The place in the data, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong. It does not repeat the value, which may be personal.
    pub message: String,
}

impl<T> Schema<T> {
    /// A schema, for [`crate::contract!`].
    pub const fn new(
        event_type: T,
        version: u32,
        id: &'static str,
        text: &'static str,
        example: &'static str,
    ) -> Self {
        Self { event_type, version, id, text, example, validator: OnceLock::new() }
    }

    /// Succeeds if the data follows this schema.
    ///
    /// # Errors
    /// The first property that does not follow it, and why.
    pub fn check(&self, data: &Value) -> Result<(), Violation> {
        let validator = self.validator.get_or_init(|| compile(self.text));
        validator.validate(data).map_err(|error| Violation {
            schema: self.id,
            pointer: error.instance_path().to_string(),
            message: error.masked().to_string(),
        })
    }
}

fn compile(text: &str) -> Validator {
    // Cannot fail: the texts are a part of this program, and a test compiles each.
    let schema = serde_json::from_str(text).expect("an embedded schema is JSON");
    jsonschema::validator_for(&schema).expect("an embedded schema is a JSON Schema")
}
