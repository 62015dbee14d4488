//! What the command line takes.

use crate::cmd;
use crate::datadir::DataDir;
use crate::ui::COLUMNS;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Plays Quintet, a choreographed order saga of five services, on this machine.
///
/// Without a command it is `up --demo`: everything is started with demo products to order.
#[derive(Debug, Parser)]
#[command(name = "quintet", version, max_term_width = COLUMNS)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every sub-command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Where the suite keeps its data, its log files and up.json [default: .quintet, here or in the
    /// nearest parent folder that has one]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// The data directory that the command works on.
    ///
    /// # Errors
    /// When its path is not usable.
    pub(crate) fn dir(&self) -> Result<DataDir> {
        DataDir::find(self.data.as_deref())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the five services and the sandbox, and keep them running until Ctrl-C
    Up(cmd::up::Up),
    /// Stop a service of the running suite and leave it down
    Stop(cmd::stop::Stop),
    /// Start a stopped service of the running suite and wait until it is ready
    Start(cmd::start::Start),
    /// Place orders with the running suite
    Place(cmd::place::Place),
    /// Watch an order until it has ended
    Watch(cmd::watch::Watch),
    /// List orders, the newest first
    Orders(cmd::orders::Orders),
    /// Check that nothing was lost, charged twice or left undone
    Audit(cmd::audit::Audit),
    /// Kill, hang and restart things while orders run, and check that nothing was lost
    Chaos(cmd::chaos::Chaos),
    /// Measure how fast orders settle, how long each takes, and what it costs
    Bench(cmd::bench::Bench),
    /// See to the records that could not be applied
    DeadLetters(cmd::dead_letters::DeadLetters),
    /// See to requests to the outside world that are held for an operator
    Effects(cmd::effects::Effects),
    /// Show the events that are on the bus
    Events(cmd::events::Events),
    /// Tell how far each service is behind, also those that are down
    Lag(cmd::lag::Lag),
    /// Have a stopped service hear everything again
    Rewind(cmd::rewind::Rewind),
    /// Check the contract: the event schemas, and what was released of them
    Schema(cmd::schema::SchemaCommand),
    /// Print the completion script of a shell
    Completions(cmd::completions::Completions),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_there_is_none_and_no_directory_is_chosen() {
        let cli = Cli::try_parse_from(["quintet"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.global.data, None);
    }

    #[test]
    fn data_and_json_are_taken_after_the_sub_command_too() {
        let cli =
            Cli::try_parse_from(["quintet", "stop", "payment", "--data", "x", "--json"]).unwrap();
        assert_eq!(cli.global.data, Some(PathBuf::from("x")));
        assert!(cli.global.json);
    }

    #[test]
    fn an_unknown_service_is_answered_with_the_possible_ones() {
        let error = Cli::try_parse_from(["quintet", "stop", "paymnet"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("payment") && text.contains("sandbox"), "{text}");
        assert_eq!(error.exit_code(), 2);
    }
}
