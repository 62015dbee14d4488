//! The command `quintet` with a fake suite: its sub-commands, their output and exit codes.

mod audit;
mod customers;
mod dead_letters;
mod fake;
mod life;
mod schema;
mod stream;
mod terminal;
