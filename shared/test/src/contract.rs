//! Examples of the events of a contract.

use event::{Contract, EventType, KeyOf, TypeOf};
use uuid::Uuid;

/// The aggregate of all explorations and examples.
pub const AGGREGATE: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001);

/// The key of [`AGGREGATE`].
#[must_use]
pub fn aggregate<C: Contract>() -> KeyOf<C> {
    AGGREGATE.into()
}

/// The example of an event's latest schema, about the aggregate of all explorations.
///
/// # Panics
/// If a schema has no example of its own type.
#[must_use]
pub fn example<C: Contract>(kind: TypeOf<C>) -> C {
    example_of(kind, AGGREGATE)
}

/// As [`example`], about another aggregate.
///
/// # Panics
/// As [`example`].
#[must_use]
pub fn example_of<C: Contract>(kind: TypeOf<C>, aggregate: Uuid) -> C {
    let schema = kind.schemas().last().expect("every type has a schema");
    let parse = |text: &str| {
        let data = serde_json::from_str(text).expect("an example is JSON");
        C::from_json(kind, data).expect("the example is of its type")
    };
    let event = parse(schema.example);
    match event.aggregate() {
        None => event,
        Some(own) => parse(&schema.example.replace(&own.to_string(), &aggregate.to_string())),
    }
}
