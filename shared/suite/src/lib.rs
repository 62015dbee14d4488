//! Runs a saga's services on one machine. `suite.toml` says which there are; [`Program`] is a program that runs each of
//! them, and starts, watches, stops and asks all together.
//!
//! `cmd` holds a file a sub-command, `supervisor` keeps the processes alive, `suite` is the file `up.json` that says what
//! runs where, and `rest` tells when nothing happens any more. Nothing here knows what a saga is about: a saga's own
//! program adds that by an [`Extension`] and by sub-commands of its own ([`Commands`]).

pub mod backend;
mod cli;
mod cmd;
mod component;
mod control;
mod datadir;
mod desk;
pub mod duration;
mod environment;
mod extension;
pub mod http;
mod invariant;
pub mod invocation;
pub mod manifest;
mod ports;
mod private;
mod program;
mod provider;
pub mod rest;
mod session;
mod suite;
mod supervisor;
pub mod ui;

pub use cli::Commands;
pub use cmd::{Ending, brokers, namespace};
pub use component::{Component, Member};
pub use control::Control;
pub use datadir::DataDir;
pub use extension::{Extension, Told};
pub use manifest::Manifest;
pub use ports::{PortTaken, Ports};
pub use program::Program;
pub use provider::Routes;
pub use session::{Options, Session};
pub use suite::{Bus, Launcher, Provider, Replica, Service, Suite, Unknown};
pub use supervisor::{alive, ending, signal};

/// An error with its causes; some libraries' errors already repeat theirs.
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
    fn an_error_says_each_cause_once() {
        let refused = || std::io::Error::other("refused");
        let plain = Err::<(), _>(refused()).context("cannot connect").unwrap_err();
        assert_eq!(explain(&plain), "cannot connect: refused");
        let repeats = sqlx::Error::Io(refused());
        let repeating = Err::<(), _>(repeats).context("cannot connect").unwrap_err();
        assert_eq!(explain(&repeating).matches("refused").count(), 1);
    }
}
