//! `quintet`, the command: it is each of the five services and the sandbox, starts them on one machine, watches over
//! them, places and follows orders, audits what became of them, and measures what that costs.
//!
//! What every saga needs of that is in `quintet-suite`; here is what knows of orders. `cli` says what the command line
//! takes, `cmd` holds a file a sub-command, `orders` is a customer. `bench`, `chaos` and `schema` are sub-commands with a
//! folder of their own.

mod bench;
mod chaos;
mod cli;
mod cmd;
mod demo;
mod feed;
mod hints;
mod money;
mod names;
mod orders;
mod schema;
mod shop;

pub use cli::main;
