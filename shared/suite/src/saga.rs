//! What a program knows of the contract of its services.

use crate::catalog::Catalog;
use event::{Contract as _, EventType as _, asyncapi};
use serde_json::Value;
use service::Service;
use std::collections::BTreeSet;

/// The contract of a program's services; all of them have the same.
#[derive(Default)]
pub(crate) struct Saga {
    pub(crate) namespace: Option<&'static str>,
    pub(crate) topics: BTreeSet<&'static str>,
    services: Vec<asyncapi::Service>,
    /// Writes the AsyncAPI document. A program does not know the type of the contract, this function does.
    document: Option<fn(&str, &[asyncapi::Service]) -> Value>,
    /// Reads the schemas of the contract, for the same reason.
    catalog: Option<fn() -> Catalog>,
}

impl Saga {
    pub(crate) fn add<S: Service>(&mut self) {
        self.namespace = Some(S::Contract::NAMESPACE);
        self.topics.extend(S::Contract::topics().iter().map(|topic| topic.name));
        let receives = S::CONSUMES.iter().map(|event_type| event_type.as_str()).collect();
        self.services.push(asyncapi::Service { name: S::NAME, receives });
        self.catalog = Some(Catalog::of::<S::Contract>);
        self.document = Some(asyncapi::document::<S::Contract>);
    }

    /// Reads what the schemas of the contract say of events.
    pub(crate) fn catalog(&self) -> fn() -> Catalog {
        self.catalog.unwrap_or(Catalog::default)
    }

    /// The AsyncAPI document of the contract; `None` without services.
    pub(crate) fn asyncapi(&self, version: &str) -> Option<Value> {
        self.document.map(|document| document(version, &self.services))
    }
}
