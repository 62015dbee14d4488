//! Order's HTTP interface as its clients meet it, over real connections.

mod description;
mod events;
mod figures;
mod limits;
mod list;
mod refusals;
mod rig;
