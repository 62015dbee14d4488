//! The simulation of the saga: its services, the desk, the travellers and the invariants.

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
    /// The bugs that can be injected.
    pub enum Bug {
        /// Hotels treats a request without an answer as refused.
        DoubtIsNo = "doubt_is_no",
        /// Flights does not consume the events of hotels.
        NoCompensation = "no_compensation",
    }
}

/// Seats whose supplier does not consume the refusal of the room.
#[derive(Debug, Clone, Copy, Default)]
struct SeatsWithoutCompensation;

impl Supplies for SeatsWithoutCompensation {
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
        participants.asking(Supplier::<SeatsWithoutCompensation>::default(), |world| {
            ToDesk::outside(world, false)
        })
    } else {
        participants.asking(Supplier::<Seats>::default(), |world| ToDesk::outside(world, false))
    };
    let participants = participants
        .asking(Supplier::<Rooms>::default(), move |world| ToDesk::outside(world, doubt_is_no));
    let simulation = Simulation::new(participants)
        .providers(World::new)
        .workload(|_| Travellers::default())
        .invariant("every accepted trip is there once", |snapshot| {
            let mut accepted: Vec<String> =
                snapshot.workload().accepted().map(|trip| trip.to_string()).collect();
            let mut rows: Vec<&str> =
                snapshot.of("booking", "trip").filter_map(|row| row["trip_id"].as_str()).collect();
            accepted.sort();
            rows.sort_unstable();
            if accepted == rows { Ok(()) } else { Err(format!("{accepted:?}, but {rows:?}")) }
        });
    // The invariants that the audit of a running suite checks too.
    invariants::ALL.into_iter().fold(simulation, |simulation, invariant| {
        simulation.invariant(invariant.name, move |snapshot| {
            let violations = (invariant.violations)(&|of, table| rows(snapshot, of, table));
            if violations.is_empty() { Ok(()) } else { Err(violations.join("; ")) }
        })
    })
}

/// The rows of a table, with the names of trips in the story instead of their ids.
fn rows(snapshot: &Snapshot<'_, World, Travellers>, of: &str, table: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = match of {
        "desk" => {
            let held = snapshot.providers().held().into_iter();
            held.filter(|row| row["table"] == table).collect()
        }
        service => snapshot.of(service, table).cloned().collect(),
    };
    for row in &mut rows {
        let trip = row["trip_id"].as_str().and_then(|id| id.parse::<TripId>().ok());
        if let Some(trip) = trip {
            row["trip_id"] = snapshot.environment().name(trip.uuid()).into();
        }
    }
    rows
}
