//! The invariants of all trips, which hold when the saga is at rest.

use quintet::serde_json::Value;

/// Returns the rows of a table of a service or of the desk, by their names.
pub type Rows<'a> = &'a dyn Fn(&str, &str) -> Vec<Value>;

/// An invariant.
pub struct Invariant {
    pub name: &'static str,
    /// Returns a line for each violation.
    pub violations: fn(Rows<'_>) -> Vec<String>,
}

/// All invariants.
pub const ALL: [Invariant; 3] = [
    Invariant {
        name: "every trip ends",
        violations: |rows| named("request", rows("booking", "trip"), "requested"),
    },
    Invariant {
        name: "a confirmed trip has a flight and a room, any other neither",
        violations: |rows| {
            let confirmed = |part| named(part, rows("booking", "trip"), "confirmed");
            differences([confirmed("flight"), confirmed("room")].concat(), reserved(rows))
        },
    },
    Invariant {
        name: "the desk holds what the services know, each once",
        violations: |rows| {
            let held = |part| named(part, rows("desk", part), "held");
            differences(reserved(rows), [held("flight"), held("room")].concat())
        },
    },
];

/// The parts that are reserved according to the services.
fn reserved(rows: Rows<'_>) -> Vec<String> {
    let of = |part, service| named(part, rows(service, "reservation"), "reserved");
    [of("flight", "flights"), of("room", "hotels")].concat()
}

/// A text for each row in this state: `part` of its trip.
fn named(part: &str, rows: Vec<Value>, state: &str) -> Vec<String> {
    let rows = rows.into_iter().filter(|row| row["state"] == state);
    rows.map(|row| format!("{part} of trip {}", row["trip_id"])).collect()
}

/// A violation if the two lists differ.
fn differences(mut expected: Vec<String>, mut found: Vec<String>) -> Vec<String> {
    expected.sort();
    found.sort();
    if expected == found { Vec::new() } else { vec![format!("{expected:?} is not {found:?}")] }
}
