//! NotificationSent | NotificationFailed → nothing
//!
//! What the customer was told stands in the timeline, as every event does. Nothing follows from it.

pub(crate) fn react() {}
