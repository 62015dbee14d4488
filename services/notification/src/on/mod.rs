//! Forward reactions. There are no compensations, because a mail cannot be recalled.

pub(crate) mod mail_answered;
pub(crate) mod order_cancelled;
pub(crate) mod order_completed;
pub(crate) mod order_placed;
