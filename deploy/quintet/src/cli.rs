//! The command line: the sub-commands of the order saga, and the program with its services and provider.

use crate::{bench, chaos, cmd, demo, hints, schema};
use anyhow::Result;
use async_trait::async_trait;
use clap::{Args as _, Command, FromArgMatches, Subcommand};
use quintet_suite::{Commands, Extension, Program, Session, Suite, UpContext};
use std::process::ExitCode;
use std::time::Duration;

/// The manifest of the suite, unless the user gives another one by `--suite`.
const MANIFEST: &str = include_str!("../../../suite.toml");
const ABOUT: &str = "Plays Quintet, a choreographed order saga of five services, on this machine";

/// The sub-commands that know of orders, and `new`, which begins another saga.
#[derive(Debug, Subcommand)]
pub(crate) enum SubCommand {
    /// Place orders with the running suite
    Place(cmd::place::Place),
    /// Watch an order until it has ended
    Watch(cmd::watch::Watch),
    /// List orders, the newest first
    Orders(cmd::orders::Orders),
    /// Kill, stop and restart processes while orders run, and check that nothing was lost
    Chaos(Box<chaos::Chaos>),
    /// Measure how fast orders settle, how long each takes, and what it costs
    Bench(Box<bench::Bench>),
    /// Check that event schemas and types agree, and that no released schema changed
    Schema(schema::SchemaCommand),
    /// Write a new saga of two services that runs and passes its tests
    New(cmd::new::New),
}

/// What the order saga adds to the commands `up` and `audit`, which every suite has.
struct OrderSaga;

#[async_trait(?Send)]
impl Commands for SubCommand {
    async fn run(self, session: &Session) -> Result<ExitCode> {
        match self {
            Self::Place(place) => place.run(session).await,
            Self::Watch(watch) => watch.run(session).await,
            Self::Orders(orders) => orders.run(session).await,
            Self::Chaos(chaos) => chaos.run(session).await,
            Self::Bench(bench) => Box::pin(bench.run(session)).await,
            Self::Schema(schema) => Ok(schema.run(session)),
            Self::New(new) => new.run(session),
        }
    }
}

#[async_trait(?Send)]
impl Extension for OrderSaga {
    async fn bring_demo(&self, suite: &Suite, up: &UpContext<'_>) -> Result<()> {
        demo::bring(suite, up).await
    }

    fn hints(&self, suite: &Suite, demo: bool, data: &str) -> String {
        hints::text(suite, demo, data)
    }

    async fn audit(&self, session: &Session, wait: Duration) -> Result<Option<ExitCode>> {
        cmd::audit::run(session, wait).await.map(Some)
    }
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    program().main_with::<SubCommand>()
}

/// The command line of the program.
///
/// # Errors
/// When the built-in manifest is wrong.
pub fn command_line() -> Result<Command> {
    Ok(program().command_line::<SubCommand>()?)
}

/// The AsyncAPI 3.0 document of the order saga.
#[must_use]
pub fn asyncapi() -> Option<serde_json::Value> {
    program().asyncapi()
}

fn program() -> Program {
    let sandbox = sandbox::Arguments::augment_args(Command::new("sandbox"));
    Program::new("quintet", MANIFEST)
        .about(ABOUT)
        .service::<order::OrderService>()
        .service::<inventory::InventoryService>()
        .service::<payment::PaymentService>()
        .service::<shipping::ShippingService>()
        .service::<notification::NotificationService>()
        .provider("sandbox", sandbox, |matches| {
            match sandbox::Arguments::from_arg_matches(matches) {
                Ok(arguments) => sandbox::main(arguments),
                Err(error) => error.exit(),
            }
        })
        .extension(OrderSaga)
        .adjust(call_aggregates_orders)
}

/// The library calls the option `--aggregate`. An aggregate of this saga is an order.
fn call_aggregates_orders(command: Command) -> Command {
    ["events", "logs"].into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub_command| {
            sub_command.mut_arg("aggregate", |arg| {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                arg.long("order").help(help.replace("aggregate", "order"))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        program().command_line::<SubCommand>().unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn data_and_json_may_follow_the_sub_command() {
        let given = ["quintet", "stop", "payment", "--data", "x", "--json"];
        let matches = command().try_get_matches_from(given).unwrap();
        let data: &std::path::PathBuf = matches.get_one("data").unwrap();
        assert_eq!(data.to_str(), Some("x"));
        assert!(matches.get_flag("json"));
    }

    #[test]
    fn services_and_the_sandbox_have_options_of_their_own() {
        for given in [
            &["quintet", "service", "payment", "--check-config"][..],
            &["quintet", "provider", "sandbox", "--data", "x", "--listen", "127.0.0.1:1"],
            &["quintet", "events", "--order", "0198a3f0-0000-7000-8000-000000000000"],
            &["quintet", "logs", "-f", "payment", "--order", "00000000"],
        ] {
            command().try_get_matches_from(given).unwrap();
        }
        let unknown =
            command().try_get_matches_from(["quintet", "service", "paymnet"]).unwrap_err();
        assert!(unknown.to_string().contains("payment"), "{unknown}");
        assert_eq!(unknown.exit_code(), 2);
    }
}
