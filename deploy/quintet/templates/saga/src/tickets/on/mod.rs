//! Forward reactions, one file each. The first line names the input, and the events that go out.

pub(super) mod request_ticket;
pub(super) mod seat_held;
