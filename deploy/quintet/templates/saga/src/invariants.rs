//! The invariants: what must hold when no event is under way. `audit` checks them on a running suite, the simulation for every
//! seed.

use std::collections::BTreeMap;

use quintet::serde_json::Value;

/// The invariant that [`seated`] checks.
pub const SEATED: &str = "a sold ticket has its seat, a cancelled one has none";

/// The violations of [`SEATED`] in the rows of the services, a line each.
pub fn seated<'a>(
    tickets: impl Iterator<Item = &'a Value>,
    seats: impl Iterator<Item = &'a Value>,
) -> Vec<String> {
    let seats: BTreeMap<String, &str> = seats
        .map(|seat| (seat["ticket_id"].to_string(), text(&seat["state"])))
        .collect();
    let offence = |ticket: &Value| {
        let id = ticket["ticket_id"].to_string();
        let seat = seats.get(&id).copied().unwrap_or("missing");
        match (text(&ticket["state"]), seat) {
            ("sold", "sold") | ("cancelled", "freed") => None,
            (ticket, seat) => Some(format!("ticket {id} is {ticket}, its seat is {seat}")),
        }
    };
    tickets.filter_map(offence).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
