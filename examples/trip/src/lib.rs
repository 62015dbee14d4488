//! Books trips: a flight and a hotel, or neither. It has three services, a desk as their provider, and the invariants.

pub mod booking;
pub mod contract;
pub mod desk;
pub mod flights;
pub mod hotels;
pub mod invariants;
pub mod supplier;

pub use booking::Booking;
/// The service flights, which reserves seats.
pub type Flights = supplier::Supplier<flights::Seats>;
/// The service hotels, which reserves rooms.
pub type Hotels = supplier::Supplier<hotels::Rooms>;
