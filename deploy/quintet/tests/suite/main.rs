//! The command as it is built, with stand-ins for the programs that it starts and asks.

mod audit;
mod customers;
mod dead_letters;
mod fake;
mod life;
mod schema;
mod terminal;
