//! The command line: the commands of every suite, and those of a saga's own program.

use crate::cmd;
use crate::component::Component;
use crate::datadir;
use crate::manifest::Manifest;
use crate::session::{Options, Session};
use crate::ui::COLUMNS;
use anyhow::Result;
use async_trait::async_trait;
use clap::{
    Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand,
    value_parser,
};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sub-commands that a saga's own program adds to those that every suite has.
#[async_trait(?Send)]
pub trait Commands: Subcommand {
    /// Runs the sub-command, and returns the exit code.
    ///
    /// # Errors
    /// The error is shown on one line, and the exit code is 1.
    async fn run(self, session: &Session) -> Result<ExitCode>;
}

/// The sub-commands of a saga that adds none.
#[derive(Debug)]
pub(crate) enum NoCommands {}

impl FromArgMatches for NoCommands {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        match *self {}
    }
}

impl Subcommand for NoCommands {
    fn augment_subcommands(command: Command) -> Command {
        command
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        command
    }

    fn has_subcommand(_: &str) -> bool {
        false
    }
}

#[async_trait(?Send)]
impl Commands for NoCommands {
    async fn run(self, _: &Session) -> Result<ExitCode> {
        match self {}
    }
}

/// Without a command it is `up --demo`: everything is started with demo data.
#[derive(Debug, Parser)]
#[command(version, max_term_width = COLUMNS)]
pub(crate) struct Cli<C: Commands> {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Verb<C>>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb<C: Commands> {
    /// Start the services and what plays the outside world, and keep them running until Ctrl-C
    Up(Box<cmd::Up>),
    /// Stop a service of the running suite and leave it down
    Stop(cmd::Stop),
    /// Start a stopped service of the running suite and wait until it is ready
    Start(cmd::Start),
    #[command(flatten)]
    Own(C),
    /// Check that nothing was lost, done twice or left undone
    Audit(cmd::Audit),
    /// See to the records that could not be applied
    DeadLetters(cmd::DeadLetters),
    /// See to requests to the outside world that are held for an operator
    Effects(cmd::Effects),
    /// Show the events that are on the bus
    Events(cmd::Events),
    /// Print the logs of the services, also of a suite that has ended
    Logs(cmd::Logs),
    /// Tell how far each service is behind, also those that are down
    Lag(cmd::Lag),
    /// Have a stopped service hear everything again
    Rewind(cmd::Rewind),
    /// Print the AsyncAPI document of the events: topics, messages, and which service sends and receives what
    #[command(name = "asyncapi")]
    AsyncApi(cmd::AsyncApi),
    /// Print the completion script of a shell
    Completions(cmd::Completions),
}

/// The command line of a program with these commands of its own.
pub(crate) fn command<C: Commands>() -> Command {
    Cli::<C>::command()
}

/// A component has no use for the options that all other sub-commands have: where it takes none of that name itself, its
/// help does not show them.
pub(crate) fn without_globals(command: Command) -> Command {
    ["data", "json"].into_iter().fold(command, |command, name| {
        if command.get_arguments().any(|it| it.get_id() == name) {
            return command;
        }
        let hidden = Arg::new(name).long(name).hide(true);
        command.arg(if name == "json" {
            hidden.action(ArgAction::SetTrue)
        } else {
            hidden.value_parser(value_parser!(PathBuf))
        })
    })
}

/// Names the components in the help. A suite from a file of the user's may have others.
pub(crate) fn with_names(command: Command, manifest: &Manifest) -> Command {
    let names: Vec<&'static str> = manifest.components().map(Component::name).collect();
    let command = command.mut_arg("data", |arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(help.replace(".quintet", &datadir::name()))
    });
    ["stop", "start"].into_iter().fold(command, |command, verb| {
        let names = names.join(", ");
        command.mut_subcommand(verb, |it| {
            it.mut_arg("service", |arg| arg.help(format!("What to {verb}: {names}")))
        })
    })
}
