//! NotificationSent | NotificationFailed → nothing
//!
//! The order's timeline records the event, as it does every event. Nothing else follows.

pub(crate) fn react() {}
