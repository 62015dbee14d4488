//! `quintet`, the command: starts the five services and the sandbox on one machine, watches over
//! them, and places orders. `cli` says what it takes, `cmd` holds a file a sub-command, and
//! `supervisor` keeps the processes alive.

mod backend;
mod checkout;
mod cli;
mod cmd;
mod datadir;
mod demo;
mod environment;
mod http;
mod ports;
mod program;
mod suite;
mod supervisor;
mod ui;

pub use cli::Cli;
pub use cmd::{explain, run};
