//! The command `quintet`: the program of the order saga.
//!
//! It runs each of the five services and the sandbox. It also starts and supervises all of them on one machine, places and
//! follows orders, audits a suite, strikes it, and measures it.
//!
//! `quintet-suite` has the parts that every saga needs, such as `up` and `stop`. This crate has the parts that know of orders:
//! - `cli`: the command line
//! - `cmd`: the sub-commands, one file each; `bench`, `chaos` and `schema` have folders of their own
//! - `orders`: a client of the order service
//! - `shop`: products and customers for loads of orders

mod bench;
mod chaos;
mod cli;
mod cmd;
mod demo;
mod hints;
mod names;
mod orders;
mod schema;
mod shop;

pub use cli::{asyncapi, command_line, main};
