//! The store on every database there is.

mod bulk;
mod classes;
mod fields;
mod full;
mod migrations;
mod rows;
mod tables;
