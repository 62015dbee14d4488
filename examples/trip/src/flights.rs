//! The service flights, which reserves seats.

use crate::{
    contract::{Event, EventType, FlightRefused, FlightReleased, FlightReserved, TripId},
    supplier::Supplies,
};

/// The parts of [`Supplies`] for seats.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seats;

impl Supplies for Seats {
    const NAME: &'static str = "flights";
    const CONFIG: &'static str = include_str!("../config/flights.toml");
    const KIND: &'static str = "flight";
    const CONSUMES: &'static [EventType] = &[EventType::TripRequested, EventType::HotelRefused];
    const RESERVED: fn(TripId, String) -> Event =
        |trip_id, reference| FlightReserved { trip_id, reference }.into();
    const REFUSED: fn(TripId, String) -> Event =
        |trip_id, reason| FlightRefused { trip_id, reason }.into();
    const RELEASED: fn(TripId) -> Event = |trip_id| FlightReleased { trip_id }.into();
}
