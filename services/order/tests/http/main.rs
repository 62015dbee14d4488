//! Order's HTTP interface as its clients meet it, over real connections.

mod attention;
mod caps;
mod description;
mod events;
mod idempotency;
mod limits;
mod list;
mod pages;
mod price_list;
mod refusals;
mod rig;
