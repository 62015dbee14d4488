//! The program of a saga.

use crate::cli::{self, Cli, Commands, NoCommands, Verb};
use crate::cmd;
use crate::explain;
use crate::extension::{Extension, NoExtension};
use crate::invariant::Invariant;
use crate::invocation;
use crate::manifest::{Manifest, ManifestError};
use crate::provider::{self, Routes};
use crate::rest::Rows;
use crate::saga::Saga;
use crate::session::Session;
use crate::suite::Unknown;
use anyhow::Result;
use clap::{ArgMatches, Args as _, Command, FromArgMatches, error::ErrorKind};
use serde_json::Value;
use service::{Arguments, Service};
use std::process::ExitCode;

/// The program of a saga. It can run each of its services and providers, and it starts, watches and queries all of them
/// together.
///
/// ```no_run
/// # mod trip { use std::process::ExitCode; pub fn airline(_: &clap::ArgMatches) -> ExitCode { ExitCode::SUCCESS } }
/// const MANIFEST: &str = r#"
/// name = "trip"
/// aggregate = "trip"
///
/// [[services]]
/// name = "booking"
/// port = 8080
///
/// [[providers]]
/// name = "airline"
/// port = 8090
/// "#;
///
/// fn main() -> std::process::ExitCode {
///     quintet_suite::Program::new("trip", MANIFEST)
///         // .service::<booking::Booking>()
///         .provider("airline", clap::Command::new("airline"), trip::airline)
///         .invariant("every trip ends", |rows| {
///             let open = rows.of("booking", "trip").filter(|row| row["ended"].is_null());
///             open.map(|row| format!("trip {} is open", row["id"])).collect()
///         })
///         .main()
/// }
/// ```
///
/// Its sub-commands are `up` (also when none is given), `service NAME`, `provider NAME`, `stop`, `start`, `audit`, `lag`,
/// `events`, `logs`, `dead-letters`, `effects`, `rewind`, `asyncapi` and `completions`.
pub struct Program {
    name: &'static str,
    about: &'static str,
    manifest: &'static str,
    saga: Saga,
    services: Vec<Runnable>,
    providers: Vec<Runnable>,
    invariants: Vec<Invariant>,
    extension: Box<dyn Extension>,
    adjust: fn(Command) -> Command,
}

/// A component that this program can run.
struct Runnable {
    name: &'static str,
    command: Command,
    run: Run,
}

type Run = Box<dyn Fn(&ArgMatches, &Manifest) -> ExitCode>;

impl Program {
    /// A program of this name, without services. `manifest` is the text of its `suite.toml`.
    #[must_use]
    pub fn new(name: &'static str, manifest: &'static str) -> Self {
        Self {
            name,
            about: "Runs the services of a saga on this machine",
            manifest,
            saga: Saga::default(),
            services: Vec::new(),
            providers: Vec::new(),
            invariants: Vec::new(),
            extension: Box::new(NoExtension),
            adjust: |command| command,
        }
    }

    /// Sets the first line of its help.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Adds a service, which it runs as `service NAME`.
    #[must_use]
    pub fn service<S: Service>(mut self) -> Self {
        let command = Arguments::augment_args(Command::new(S::NAME).version(VERSION))
            .about(format!("Run the service {} in the foreground", S::NAME));
        let run = |matches: &ArgMatches, _: &Manifest| match Arguments::from_arg_matches(matches) {
            Ok(arguments) => service::main_with::<S>(&arguments),
            Err(error) => error.exit(),
        };
        self.services.push(Runnable { name: S::NAME, command, run: Box::new(run) });
        self.saga.add::<S>();
        self
    }

    /// Adds a provider, which it runs as `provider NAME` by calling `run` with the arguments of `command`.
    #[must_use]
    pub fn provider(
        mut self,
        name: &'static str,
        command: Command,
        run: fn(&ArgMatches) -> ExitCode,
    ) -> Self {
        let run = move |matches: &ArgMatches, _: &Manifest| run(matches);
        self.providers.push(Runnable { name, command: command.name(name), run: Box::new(run) });
        self
    }

    /// Adds a provider made of these routes, which it runs as `provider NAME`. The provider has the options `--listen` and
    /// `--data`, answers at `/health/ready`, and ends at SIGINT, SIGTERM and the end of the launcher.
    #[must_use]
    pub fn provider_routes(mut self, name: &'static str, routes: Routes) -> Self {
        let run = move |matches: &ArgMatches, suite: &Manifest| {
            provider::run(name, routes, matches, suite)
        };
        let command = provider::command(name);
        self.providers.push(Runnable { name, command, run: Box::new(run) });
        self
    }

    /// Adds an invariant for `audit`. `check` gets the rows that the services list at `/admin/rows`, and returns a line for
    /// each violation.
    #[must_use]
    pub fn invariant(
        mut self,
        name: &'static str,
        check: impl Fn(&Rows) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push(Invariant::new(name, check));
        self
    }

    /// Sets the extension of the commands that every suite has.
    #[must_use]
    pub fn extension(mut self, extension: impl Extension + 'static) -> Self {
        self.extension = Box::new(extension);
        self
    }

    /// Changes the definition of the command line before it is parsed, such as the name of an option.
    #[must_use]
    pub fn adjust(mut self, adjust: fn(Command) -> Command) -> Self {
        self.adjust = adjust;
        self
    }

    /// Runs the command of the command line. The exit code is 0 if it succeeded, 1 with one line on stderr if it failed, and
    /// 2 for wrong usage. A service or provider has its own exit codes.
    #[must_use]
    pub fn main(self) -> ExitCode {
        self.main_with::<NoCommands>()
    }

    /// As [`Self::main`], with sub-commands of the program's own.
    #[must_use]
    pub fn main_with<C: Commands>(self) -> ExitCode {
        invocation::call_this(self.name);
        // rustls needs a crypto provider before the first connection. The call fails if there is one already.
        #[cfg(feature = "tls")]
        let _ = rustls::crypto::ring::default_provider().install_default();
        let manifest: &'static Manifest = match self.built_in() {
            Ok(manifest) => Box::leak(Box::new(manifest)),
            Err(error) => return self.failed(&error.into()),
        };
        let command = self.command::<C>(manifest);
        let matches = command.clone().get_matches_from(std::env::args_os());
        if let Some(code) = self.component(&matches, manifest) {
            return code;
        }
        let cli = match Cli::<C>::from_arg_matches(&matches) {
            Ok(cli) => cli,
            Err(error) => error.format(&mut command.clone()).exit(),
        };
        let (data, json) = (cli.options.data, cli.options.json);
        let runnable = self.services.iter().chain(&self.providers).map(|part| part.name).collect();
        let (topics, catalog) = (self.saga.topics.clone(), self.saga.catalog());
        let session = Session { data, json, manifest, topics, runnable, catalog };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let ran = match runtime {
            Ok(runtime) => {
                let ran = runtime.block_on(self.run(cli.command, &session, &command));
                // A call to a broker that does not answer must not hold up the end of the program.
                runtime.shutdown_background();
                ran
            }
            Err(error) => Err(error.into()),
        };
        match ran {
            Ok(code) => code,
            Err(error) if error.is::<Unknown>() => {
                command.clone().error(ErrorKind::InvalidValue, explain(&error)).exit()
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The definition of the command line, for tests.
    ///
    /// # Errors
    /// If the manifest is wrong.
    pub fn command_line<C: Commands>(&self) -> Result<Command, ManifestError> {
        Ok(self.command::<C>(&self.built_in()?))
    }

    /// The AsyncAPI 3.0 document of the services' contract; `None` without services.
    #[must_use]
    pub fn asyncapi(&self) -> Option<Value> {
        self.saga.asyncapi(VERSION)
    }

    /// Parses the manifest of the program. Its name must be the contract's namespace, as both are the prefix of variables.
    fn built_in(&self) -> Result<Manifest, ManifestError> {
        let manifest = Manifest::built_in(self.manifest)?;
        match self.saga.namespace {
            Some(namespace) if namespace != manifest.name => Err(ManifestError::Key {
                file: "suite.toml".to_owned(),
                key: "name".to_owned(),
                why: format!(
                    "{:?} is not the namespace of the contract: give {namespace:?}",
                    manifest.name
                ),
            }),
            _ => Ok(manifest),
        }
    }

    fn failed(&self, error: &anyhow::Error) -> ExitCode {
        eprintln!("{}: {}", self.name, explain(error));
        ExitCode::FAILURE
    }

    /// Runs the service or provider that the command line names; `None` if it names none. It is called outside of any
    /// runtime, since a component builds its own.
    fn component(&self, matches: &ArgMatches, manifest: &Manifest) -> Option<ExitCode> {
        let (kind, matches) = matches.subcommand()?;
        let all = match kind {
            SERVICE => &self.services,
            PROVIDER => &self.providers,
            _ => return None,
        };
        let (name, matches) = matches.subcommand()?;
        let found = all.iter().find(|component| component.name == name)?;
        Some((found.run)(matches, manifest))
    }

    fn command<C: Commands>(&self, manifest: &Manifest) -> Command {
        let group = |name: &'static str, about: &'static str, components: &[Runnable]| {
            let commands = components.iter().map(|part| cli::without_globals(part.command.clone()));
            let command = Command::new(name).about(about).subcommand_required(true);
            command.arg_required_else_help(true).subcommands(commands)
        };
        let mut command = cli::command::<C>().name(self.name).bin_name(self.name).about(self.about);
        if !self.services.is_empty() {
            command = command.subcommand(group(SERVICE, "Run one service", &self.services));
        }
        if !self.providers.is_empty() {
            let about = "Play one part of the outside world";
            command = command.subcommand(group(PROVIDER, about, &self.providers));
        }
        (self.adjust)(cli::with_names(command, manifest))
    }

    async fn run<C: Commands>(
        &self,
        verb: Option<Verb<C>>,
        session: &Session,
        command: &Command,
    ) -> Result<ExitCode> {
        let extension = &*self.extension;
        match verb {
            None => cmd::Up::with_demo().run(session, extension).await,
            Some(Verb::Up(up)) => up.run(session, extension).await,
            Some(Verb::Stop(stop)) => stop.run(session).await,
            Some(Verb::Start(start)) => start.run(session).await,
            Some(Verb::Own(own)) => own.run(session).await,
            Some(Verb::Audit(audit)) => audit.run(session, extension, &self.invariants).await,
            Some(Verb::DeadLetters(dead_letters)) => dead_letters.run(session).await,
            Some(Verb::Effects(effects)) => effects.run(session).await,
            Some(Verb::Events(events)) => events.run(session).await,
            Some(Verb::Logs(logs)) => logs.run(session).await,
            Some(Verb::Lag(lag)) => lag.run(session).await,
            Some(Verb::Rewind(rewind)) => rewind.run(session).await,
            Some(Verb::AsyncApi(asyncapi)) => asyncapi.run(self.asyncapi()),
            Some(Verb::Completions(completions)) => completions.run(session, command.clone()),
        }
    }
}

const SERVICE: &str = "service";
const PROVIDER: &str = "provider";
/// The version of services, which is that of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::TRIP;

    #[test]
    fn a_suite_is_named_after_the_namespace_of_its_contract() {
        let mut program = Program::new("trip", TRIP);
        program.saga.namespace = Some("trip");
        assert!(program.command_line::<NoCommands>().is_ok());
        program.saga.namespace = Some("travel");
        let error = program.command_line::<NoCommands>().unwrap_err().to_string();
        let expected =
            "suite.toml: name: \"trip\" is not the namespace of the contract: give \"travel\"";
        assert_eq!(error, expected);
    }
}
