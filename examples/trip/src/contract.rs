//! The contract: the events between the services.

use serde::{Deserialize, Serialize};

quintet::ids! {
    /// A trip, and the key of all its events.
    TripId;
}

quintet::contract! {
    /// The events about trips.
    pub enum Event: EventType;
    namespace "trip";
    key trip_id: TripId;
    schemas "schemas";
    compacted;
    payloads(Clone, Debug, PartialEq, Eq, Serialize, Deserialize);

    /// A traveller asks for a trip.
    TripRequested by "booking" on "trips" in "trip_requested": 1 {
        trip_id: TripId, traveller: String, destination: String, nights: i64,
    }
    /// The trip has both a flight and a hotel.
    TripConfirmed by "booking" on "trips" in "trip_confirmed": 1 { trip_id: TripId }
    /// The trip has neither a flight nor a hotel.
    TripCancelled by "booking" on "trips" in "trip_cancelled": 1 { trip_id: TripId, reason: String }

    /// A seat is held for the trip.
    FlightReserved by "flights" on "flights" in "flight_reserved": 1 { trip_id: TripId, reference: String }
    /// There is no flight.
    FlightRefused by "flights" on "flights" in "flight_refused": 1 { trip_id: TripId, reason: String }
    /// No seat is held any more, and none will be.
    FlightReleased by "flights" on "flights" in "flight_released": 1 { trip_id: TripId }

    /// A room is held for the trip.
    HotelReserved by "hotels" on "hotels" in "hotel_reserved": 1 { trip_id: TripId, reference: String }
    /// There is no room.
    HotelRefused by "hotels" on "hotels" in "hotel_refused": 1 { trip_id: TripId, reason: String }
    /// No room is held any more, and none will be.
    HotelReleased by "hotels" on "hotels" in "hotel_released": 1 { trip_id: TripId }
}
