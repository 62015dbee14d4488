//! The sub-commands that know of orders, and `new`, one file each.

pub(crate) mod audit;
pub(crate) mod new;
pub(crate) mod orders;
pub(crate) mod place;
pub(crate) mod watch;
