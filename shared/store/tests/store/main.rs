//! The store on every database there is.

mod alone;
mod bulk;
mod classes;
mod fields;
mod full;
mod migrations;
mod refusals;
mod rows;
mod tables;
