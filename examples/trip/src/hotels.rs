//! The service hotels, which reserves rooms.

use crate::{
    contract::{Event, EventType, HotelRefused, HotelReleased, HotelReserved, TripId},
    supplier::Supplies,
};

/// The parts of [`Supplies`] for rooms.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rooms;

impl Supplies for Rooms {
    const NAME: &'static str = "hotels";
    const CONFIG: &'static str = include_str!("../config/hotels.toml");
    const KIND: &'static str = "room";
    const CONSUMES: &'static [EventType] = &[EventType::TripRequested, EventType::FlightRefused];
    const RESERVED: fn(TripId, String) -> Event =
        |trip_id, reference| HotelReserved { trip_id, reference }.into();
    const REFUSED: fn(TripId, String) -> Event =
        |trip_id, reason| HotelRefused { trip_id, reason }.into();
    const RELEASED: fn(TripId) -> Event = |trip_id| HotelReleased { trip_id }.into();
}
