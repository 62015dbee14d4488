//! Compensations: reactions that undo what a forward reaction did, when the ticket comes to nothing.

pub(super) mod ticket_cancelled;
