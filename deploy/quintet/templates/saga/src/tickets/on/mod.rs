//! Forward reactions, one file each. The first line says what comes in, and what goes out.

pub(super) mod request_ticket;
pub(super) mod seat_held;
