//! Forward reactions, one file each. The first line says what comes in, and what goes out.

pub(super) mod ticket_requested;
pub(super) mod ticket_sold;
