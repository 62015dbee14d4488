//! Books trips: a flight and a hotel, or neither. Three services, a desk that plays the outside world, and what must
//! hold of them.

pub mod booking;
pub mod contract;
pub mod desk;
pub mod flights;
pub mod hotels;
pub mod invariants;
pub mod supplier;

pub use booking::Booking;
/// Reserves seats.
pub type Flights = supplier::Supplier<flights::Seats>;
/// Reserves rooms.
pub type Hotels = supplier::Supplier<hotels::Rooms>;
