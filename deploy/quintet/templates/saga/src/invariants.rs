//! What must hold once nothing happens any more. `audit` checks it of a running suite, the simulation of every seed.

use std::collections::BTreeMap;

use quintet::serde_json::Value;

/// What [`seated`] checks.
pub const SEATED: &str = "a sold ticket has its seat, a cancelled one has none";

/// What offends it, a line each, in the rows of the services.
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
