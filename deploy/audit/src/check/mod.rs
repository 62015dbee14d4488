//! The invariants, one per file.

pub(crate) mod cancelled;
pub(crate) mod completed;
pub(crate) mod ended;
pub(crate) mod ledger;
pub(crate) mod mails;
pub(crate) mod rest;
pub(crate) mod stock;
