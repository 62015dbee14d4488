//! Runs the services of a saga on one machine. The file `suite.toml` lists them; [`Program`] is a program that can run
//! each of them, and that starts, watches, stops and queries all of them together.
//!
//! `cmd` has a file for each sub-command. `supervisor` keeps the processes alive. `suite` is the file `up.json`, which
//! says what runs where. `rest` finds out when a suite is at rest. Nothing here knows what a saga is about: a saga's own
//! program adds that by an [`Extension`] and by sub-commands of its own ([`Commands`]).

pub mod backend;
mod catalog;
mod cli;
mod cmd;
mod component;
mod control;
mod datadir;
mod desk;
pub mod duration;
mod environment;
mod exit;
mod extension;
pub mod http;
mod invariant;
pub mod invocation;
pub mod manifest;
pub mod money;
mod palette;
mod ports;
mod private;
mod program;
mod provider;
pub mod rest;
mod saga;
mod session;
mod suite;
mod supervisor;
pub mod ui;

pub use cli::Commands;
pub use cmd::{Ending, brokers, namespace};
pub use component::{Component, Member};
pub use control::Control;
pub use datadir::DataDir;
pub use exit::Exit;
pub use extension::{Extension, UpContext};
pub use manifest::Manifest;
pub use ports::{PortTaken, Ports};
pub use program::Program;
pub use provider::Routes;
pub use session::{Options, Session};
pub use suite::{Bus, Launcher, Provider, Replica, Service, Suite, Unknown};
pub use supervisor::{alive, ending, signal};

/// An error and its causes in one line. A cause that the text already ends with is left out, since the errors of some
/// libraries repeat their causes.
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn each_cause_of_an_error_appears_once() {
        let refused = || std::io::Error::other("refused");
        let plain = Err::<(), _>(refused()).context("cannot connect").unwrap_err();
        assert_eq!(explain(&plain), "cannot connect: refused");
        let repeats = sqlx::Error::Io(refused());
        let repeating = Err::<(), _>(repeats).context("cannot connect").unwrap_err();
        assert_eq!(explain(&repeating).matches("refused").count(), 1);
    }
}
