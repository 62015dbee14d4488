//! The descriptions of the services for the conformance suites.

use std::sync::Arc;

use quintet::prelude::*;
use quintet_test::{AGGREGATE, Described, Saga};
use trip::{
    Booking,
    booking::Trip,
    contract::{Event, TripId, TripRequested},
    desk::{Answer, Ask},
    supplier::{Reservation, Supplier, Supplies},
};

use super::desk::{ToDesk, World};

/// The saga of trips.
pub struct Trips;

impl Saga for Trips {
    type Contract = Event;
    type Providers = World;
    type Shared = ();
    type Entry = ();
}

impl Described<Trips> for Booking {
    type Row = Trip;

    fn simulated() -> Self {
        Self
    }

    fn outside(_: &Arc<World>) -> Arc<dyn Outside<Self>> {
        Arc::new(NoEffects)
    }

    fn world(trips: Rows<Trip>, (): &()) -> Rows<Trip> {
        trips
    }

    fn rows(world: &Rows<Trip>) -> &Rows<Trip> {
        world
    }

    fn beginnings() -> Vec<Rows<Trip>> {
        vec![Rows::absent([AGGREGATE.into()])]
    }

    fn openings(trip_id: TripId) -> Vec<TripRequested> {
        let (traveller, destination) = ("Ada".to_owned(), "Lisbon".to_owned());
        vec![TripRequested { trip_id, traveller, destination, nights: 3 }]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn entry(effect: &Never, _: &Never) -> Option<()> {
        match *effect {}
    }
}

impl<S: Supplies> Described<Trips> for Supplier<S> {
    type Row = Reservation;

    fn simulated() -> Self {
        Self::default()
    }

    fn outside(world: &Arc<World>) -> Arc<dyn Outside<Self>> {
        ToDesk::outside(world, false)
    }

    fn world(reservations: Rows<Reservation>, (): &()) -> Rows<Reservation> {
        reservations
    }

    fn rows(world: &Rows<Reservation>) -> &Rows<Reservation> {
        world
    }

    fn beginnings() -> Vec<Rows<Reservation>> {
        vec![Rows::absent([AGGREGATE.into()])]
    }

    fn outcomes(ask: &Ask) -> Vec<Answer> {
        match ask {
            Ask::Reserve { .. } => vec![
                Answer::Reserved { reference: "r".to_owned() },
                Answer::Refused { reason: "none left".to_owned() },
            ],
            Ask::Release { .. } => vec![Answer::Released],
        }
    }

    fn entry(_: &Ask, _: &Answer) -> Option<()> {
        None
    }
}
