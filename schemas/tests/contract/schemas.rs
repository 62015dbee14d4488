//! The schemas and the Rust types agree.

use std::path::Path;

use contracts::{CancelReason, Event, EventType, Milestone};
use event::EventType as _;
use serde_json::Value;
use strum::VariantArray;

#[test]
fn schemas_and_types_agree() {
    quintet_test::conformance::schemas::<Event>(Path::new(env!("CARGO_MANIFEST_DIR")));
}

#[test]
fn every_word_of_a_type_is_listed_in_its_schema() {
    let listed = |event_type: EventType, property: &str| -> Vec<String> {
        let schema = event_type.schema(1).expect("a first version");
        let schema: Value = serde_json::from_str(schema.text).expect("JSON");
        serde_json::from_value(schema["properties"][property]["enum"].clone()).expect("words")
    };
    let reasons: Vec<_> = CancelReason::VARIANTS.iter().map(ToString::to_string).collect();
    assert_eq!(listed(EventType::OrderCancelled, "reason"), reasons);
    let milestones: Vec<_> = Milestone::VARIANTS.iter().map(ToString::to_string).collect();
    assert_eq!(listed(EventType::NotificationSent, "milestone"), milestones);
    assert_eq!(listed(EventType::NotificationFailed, "milestone"), milestones);
}

#[test]
fn a_type_with_another_name_is_not_found() {
    let error = "orderplaced".parse::<EventType>().unwrap_err();
    assert_eq!(error.to_string(), "`orderplaced` is not an event type of this contract");
}
