//! Forward reactions, one file each. The first line names the input, and the events that go out.

pub(super) mod ticket_requested;
pub(super) mod ticket_sold;
