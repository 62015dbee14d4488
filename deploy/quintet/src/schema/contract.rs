//! The schemas, types and upcasters that this program was built with.

use super::tree::Version;
use contracts::{Event, EventType};
use event::{Contract as _, EventType as _};
use event::{Decoded, Schema, decode};
use serde_json::Value;

/// The event's type, if it is built in.
pub(super) fn event_type(folder: &str) -> Option<EventType> {
    EventType::ALL.iter().find(|event| event.folder() == folder).copied()
}

/// The version's schema, if it is built in.
pub(super) fn schema(version: Version<'_>) -> Option<&'static Schema<EventType>> {
    event_type(version.folder)?.schema(version.number)
}

/// Decodes data of a version as a consumer does, with the upcasters, and returns it in the latest version that the Rust type
/// knows.
pub(super) fn upcast(version: Version<'_>, data: &Value) -> Result<Value, String> {
    let event_type = event_type(version.folder).ok_or("no Rust type has this name")?;
    let key = ["order_id", "sku"].iter().find_map(|id| data.get(id)?.as_str());
    let key = key.ok_or("it has neither `order_id` nor `sku`, so the record has no key")?;
    let id = version.id();
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "018f3a5c-1b2d-8a10-9c00-a1b2c3d4e5f6"),
        ("ce_type", event_type.as_str()),
        ("ce_source", &format!("/quintet/{}", event_type.publisher())),
        ("ce_time", "2024-05-01T10:00:00Z"),
        ("ce_subject", key),
        ("ce_dataschema", id.as_str()),
        ("content-type", "application/json"),
    ];
    let value = serde_json::to_vec(data).map_err(|error| error.to_string())?;
    match decode::<Event>(key.as_bytes(), &headers.into_iter().collect(), &value) {
        Ok(Decoded::Event(envelope)) => Ok(envelope.event.to_json()),
        Ok(Decoded::Foreign { event_type }) => {
            Err(format!("the contract has no event type {event_type}"))
        }
        Err(error) => Err(error.to_string()),
    }
}
