//! Forward reactions. There is nothing to undo: a mail cannot be called back.

pub(crate) mod mail_answered;
pub(crate) mod order_cancelled;
pub(crate) mod order_completed;
pub(crate) mod order_placed;
