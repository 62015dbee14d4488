//! `quintet`, the command: starts the five services and the sandbox on one machine, watches over
//! them, places and follows orders, audits what became of them, and measures what that costs. `cli`
//! says what it takes, `cmd` holds a file a sub-command, `orders` is a customer, and `supervisor`
//! keeps the processes alive.

mod backend;
mod checkout;
mod cli;
mod cmd;
mod control;
mod datadir;
mod demo;
mod duration;
mod environment;
mod http;
mod invocation;
mod money;
mod orders;
mod ports;
mod private;
mod program;
mod shop;
mod suite;
mod supervisor;
mod ui;

pub use cli::Cli;
pub use cmd::{explain, run};
