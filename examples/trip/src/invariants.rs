//! What must hold of all trips once nothing happens any more.

use quintet::serde_json::Value;

/// The rows of a service's table, or of what the desk lists.
pub type Rows<'a> = &'a dyn Fn(&str, &str) -> Vec<Value>;
/// A name, and what offends the invariant, a line each.
pub type Invariant = (&'static str, fn(Rows<'_>) -> Vec<String>);

/// All of them.
pub const ALL: [Invariant; 3] = [
    ("every trip ends", |rows| named("request", rows("booking", "trip"), "requested")),
    ("a confirmed trip has a flight and a room, any other neither", |rows| {
        let confirmed = |part| named(part, rows("booking", "trip"), "confirmed");
        differences([confirmed("flight"), confirmed("room")].concat(), known(rows))
    }),
    ("the desk holds what the services know, each once", |rows| {
        let held = |part| named(part, rows("desk", part), "held");
        differences(known(rows), [held("flight"), held("room")].concat())
    }),
];

/// What the services know to be reserved.
fn known(rows: Rows<'_>) -> Vec<String> {
    let of = |part, service| named(part, rows(service, "reservation"), "reserved");
    [of("flight", "flights"), of("room", "hotels")].concat()
}

/// `part` of the trip of each row in this state.
fn named(part: &str, rows: Vec<Value>, state: &str) -> Vec<String> {
    let rows = rows.into_iter().filter(|row| row["state"] == state);
    rows.map(|row| format!("{part} of trip {}", row["trip_id"])).collect()
}

fn differences(mut wanted: Vec<String>, mut found: Vec<String>) -> Vec<String> {
    wanted.sort();
    found.sort();
    if wanted == found { Vec::new() } else { vec![format!("{wanted:?} is not {found:?}")] }
}
