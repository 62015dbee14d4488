//! The saga in the simulator: its services, the desk, travellers, and what must hold.

use quintet::serde_json::Value;
use quintet_test::simulation::{Participants, Simulation, Snapshot};
use trip::{
    Booking,
    contract::{Event, EventType, TripId},
    flights::Seats,
    hotels::Rooms,
    invariants,
    supplier::{Supplier, Supplies},
};

use super::{
    desk::{ToDesk, World},
    travellers::Travellers,
};

quintet::text_enum! {
    /// Bugs that can be planted.
    pub enum Bug {
        /// Hotels takes a request without an answer for one that was refused.
        DoubtIsNo = "doubt_is_no",
        /// Flights does not listen to hotels.
        NoCompensation = "no_compensation",
    }
}

/// A supplier of seats that never hears that there is no room.
#[derive(Debug, Clone, Copy, Default)]
struct DeafSeats;

impl Supplies for DeafSeats {
    const NAME: &'static str = Seats::NAME;
    const CONFIG: &'static str = Seats::CONFIG;
    const KIND: &'static str = Seats::KIND;
    const CONSUMES: &'static [EventType] = &[EventType::TripRequested];
    const RESERVED: fn(TripId, String) -> Event = Seats::RESERVED;
    const REFUSED: fn(TripId, String) -> Event = Seats::REFUSED;
    const RELEASED: fn(TripId) -> Event = Seats::RELEASED;
}

/// The saga, with a bug if one is given.
pub fn simulation(bug: Option<Bug>) -> Simulation<World, Travellers> {
    let participants = Participants::new().with(Booking);
    let doubt_is_no = bug == Some(Bug::DoubtIsNo);
    let participants = if bug == Some(Bug::NoCompensation) {
        participants.asking(Supplier::<DeafSeats>::default(), |world| ToDesk::outside(world, false))
    } else {
        participants.asking(Supplier::<Seats>::default(), |world| ToDesk::outside(world, false))
    };
    let participants = participants
        .asking(Supplier::<Rooms>::default(), move |world| ToDesk::outside(world, doubt_is_no));
    let simulation = Simulation::new(participants)
        .providers(World::new)
        .workload(|_| Travellers::default())
        .invariant("every accepted trip is there once", |known| {
            let mut accepted: Vec<String> =
                known.workload().accepted().map(|trip| trip.to_string()).collect();
            let mut rows: Vec<&str> =
                known.of("booking", "trip").filter_map(|row| row["trip_id"].as_str()).collect();
            accepted.sort();
            rows.sort_unstable();
            if accepted == rows { Ok(()) } else { Err(format!("{accepted:?}, but {rows:?}")) }
        });
    // What the audit of a running suite checks.
    invariants::ALL.into_iter().fold(simulation, |simulation, (name, check)| {
        simulation.invariant(name, move |known| {
            let offences = check(&|of, table| rows(known, of, table));
            if offences.is_empty() { Ok(()) } else { Err(offences.join("; ")) }
        })
    })
}

/// The rows of a table, with the names of trips that the story uses.
fn rows(known: &Snapshot<'_, World, Travellers>, of: &str, table: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = match of {
        "desk" => {
            known.providers().held().into_iter().filter(|row| row["table"] == table).collect()
        }
        service => known.of(service, table).cloned().collect(),
    };
    for row in &mut rows {
        let trip = row["trip_id"].as_str().and_then(|id| id.parse::<TripId>().ok());
        if let Some(trip) = trip {
            row["trip_id"] = known.environment().name(trip.uuid()).into();
        }
    }
    rows
}
