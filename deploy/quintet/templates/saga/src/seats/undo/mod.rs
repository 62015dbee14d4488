//! Compensations: reactions that undo a forward reaction when the ticket is cancelled.

pub(super) mod ticket_cancelled;
