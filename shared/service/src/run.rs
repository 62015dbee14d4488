//! Starts a service as a process, runs it until it is told to stop, and ends it with an exit code.
//!
//! [`main_with`] runs once, as the first thing of the process. It takes these steps, in this order:
//!
//! 1. Set the umask, so that only this user may access new files, and choose the TLS implementation.
//! 2. Read the settings, and check all of them that can be checked without asking a server.
//! 3. Start the log and, if a collector is configured, the export of traces.
//! 4. Bind both listeners. Clients can connect from here on, but no request is answered before step 6.
//! 5. Lock the SQLite file, open the service's own clients, the bus and the database, and migrate it ([`prepare`]).
//! 6. Answer HTTP requests and run the engine ([`Running::start`]).
//! 7. Drain: end the HTTP requests, then the engine ([`Running::until_stopped`]).
//!
//! **Assumptions.** The process has no tokio runtime yet, and no other code has set up `tracing`. With SQLite
//! this is the only process on the database file; the lock of step 5 makes sure of it. With PostgreSQL any
//! number of replicas may start at once. Kafka need not be reachable: the engine connects to it in step 6 and
//! keeps trying. The database may be away too: step 5 tries it again every half second, without an end, and
//! logs why it waits.
//!
//! **Stopping.** A request to stop is a SIGINT, a SIGTERM or, where `QUINTET_LEASH` is `stdin`, the end of the
//! parent process. Each signal counts as a request, the end of the parent counts once.
//!
//! - During steps 1 to 3 a signal has its default action: it kills the process, which has changed nothing yet.
//! - During steps 4 and 5 the first request ends the process, exit code 0.
//! - During step 6 the first request starts the drain. A second one, during step 7, cuts it short, exit code 1. That
//!   loses nothing, since each batch is one transaction, and unsent records stay in the outbox.
//! - If the engine ends by itself, step 7 drains the HTTP requests only. A request to stop cuts that short.
//! - If the engine has failed before a request cuts its drain short, the engine's error decides the exit code.
//!
//! **Failures.** Every error is one line that names the setting, or what was tried, with passwords hidden.
//! Before step 4 it goes to standard error, afterwards to the log. [`Exit`] lists the exit codes. They tell a
//! supervisor whether it should start the process again.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use bus::Topic;
use clap::{Args, Parser};
use clock::{Clock, Random, SystemClock, SystemRandom, uuid_v7};
use edge::Server;
use engine::{Engine, EngineOptions, Runtime, Surroundings};
use event::Contract;
use rustix::fs::Mode;
use store::Db;
use tokio::sync::watch;

use crate::{
    App, Config, Exit, Parts, Sampling, Service, Telemetry,
    config::{self, Defaults, Loaded, Secrets},
    exit,
    leash::shutdown_signal,
    listeners::{Sockets, answer_http},
    running::{Http, Running},
    servers::{check_servers, connect_bus, lock_file, open_database},
    telemetry::{self, Collector},
};

/// How long threads that are blocked may take after all tasks have ended.
const THREADS_DRAIN: Duration = Duration::from_secs(1);

/// The command line of a service.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A TOML file with settings that differ from the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what is wrong with the settings, and where, and end.
    #[arg(long)]
    check_config: bool,
    /// Print the commented defaults, and end.
    #[arg(long)]
    print_config: bool,
}

#[derive(Debug, Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

/// Runs a service as a program of its own: [`main_with`] the arguments of the process.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    main_with::<S>(&CommandLine::parse().arguments)
}

/// Runs a service until it is told to stop; [`Exit`] has the exit codes.
///
/// It builds the runtime that the service runs in, so it must not be called within another one.
#[must_use]
pub fn main_with<S: Service>(args: &Arguments) -> ExitCode {
    // SQLite files and the log hold names and addresses of customers. Without this line, every user of the
    // machine could read the files that this process creates.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // rustls panics at the first connection if no implementation is chosen. The result is an error only if one
    // was chosen before, which does as well.
    #[cfg(feature = "tls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    if args.print_config {
        print!("{}", defaults::<S>().text());
        return Exit::Stopped.into();
    }
    let mut secrets = Secrets::default();
    let (config, own) = match settings::<S>(args, &mut secrets) {
        Ok(settings) => settings,
        Err(error) => return refuse::<S>(&secrets, &error.context("configuration")),
    };
    let collector = match Collector::from_environment() {
        Ok(collector) => collector,
        Err(error) => return refuse::<S>(&secrets, &error),
    };
    if args.check_config {
        println!("the configuration is fine");
        return Exit::Stopped.into();
    }
    let instance = uuid_v7(&SystemClock, &SystemRandom);
    let collecting =
        match telemetry::start(&client::<S>(), instance, &config.log, collector.as_ref()) {
            Ok(collecting) => collecting,
            Err(error) => return refuse::<S>(&secrets, &error),
        };
    let ended = run::<S>(&config, &own, collecting.is_on());
    if let Err(error) = &ended {
        tracing::error!("{} stops: {}", S::NAME, secrets.hide(&format!("{error:#}")));
    }
    // After the runtime has ended, so that the spans of the last requests are exported too.
    collecting.end();
    match ended {
        Ok(()) => Exit::Stopped.into(),
        Err(error) => exit::code_of(&error),
    }
}

/// Prints an error of the settings. The log does not run yet, as its own settings may be the wrong ones.
fn refuse<S: Service>(secrets: &Secrets, error: &anyhow::Error) -> ExitCode {
    eprintln!("{}-{}: {}", S::Contract::NAMESPACE, S::NAME, secrets.hide(&format!("{error:#}")));
    Exit::Refused.into()
}

/// The name that this process gives the broker and the collector of traces, such as `travel-booking`.
fn client<S: Service>() -> String {
    format!("{}-{}", S::Contract::NAMESPACE, S::NAME)
}

fn defaults<S: Service>() -> Defaults {
    Defaults::new(S::Contract::NAMESPACE, S::NAME, S::CONFIG)
}

/// Reads the settings and checks them. No server is asked and no file is written, so `--check-config` can run
/// beside a service that works.
fn settings<S: Service>(
    args: &Arguments,
    secrets: &mut Secrets,
) -> anyhow::Result<Loaded<S::Config>> {
    let (file, variables) = (args.config.as_deref(), std::env::vars());
    let loaded: Loaded<S::Config> = config::load(&defaults::<S>(), file, variables, secrets)?;
    // Only the service can judge its own settings, so it is opened here once to check them. It may make
    // clients that need a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        check_servers(&client::<S>(), &loaded.0).await?;
        S::open(&loaded.1).map(drop)
    })?;
    Ok(loaded)
}

fn run<S: Service>(config: &Config, own: &S::Config, collecting: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run_in::<S>(config, own, collecting));
    // Dropping the runtime would wait for ever for a thread that a file system or a resolver blocks.
    runtime.shutdown_timeout(THREADS_DRAIN);
    result
}

/// Runs the service within the runtime, from binding its ports to having drained.
///
/// # Errors
/// If a port is taken, [`prepare`] fails, the engine ends by itself, or a second request to stop comes before the
/// service has drained.
async fn run_in<S: Service>(
    config: &Config,
    own: &S::Config,
    collecting: bool,
) -> anyhow::Result<()> {
    let mut shutdown = shutdown_signal()?;
    // The ports come first: a second start of the same service on this machine fails here, before it migrates the
    // database or joins the consumer group.
    let sockets = Sockets::bind(config).await?;
    let server = Arc::new(Server::new(config.http.proxies()?));
    let (http_stop, http_stopped) = watch::channel(false);
    // The database may be away for hours; the service can be stopped meanwhile.
    let prepared = tokio::select! {
        prepared = prepare::<S>(config, own, &server, http_stopped.clone(), collecting) => prepared?,
        why = shutdown.recv() => {
            tracing::info!("{} stops before it was ready: {why}", S::NAME);
            return Ok(());
        }
    };
    let (runtime, app) = prepared;
    let answering = answer_http(config, sockets, app, &server, &http_stopped);
    tracing::info!(
        "{} on http://{}, admin on http://{}",
        S::NAME,
        config.listen,
        config.admin_listen
    );
    let http = Http { stop: http_stop, answering };
    let running = Running::start(S::NAME, http, |stopped| runtime.run(stopped));
    let ended = running.until_stopped(shutdown).await;
    if ended.is_ok() {
        tracing::info!("{} has stopped", S::NAME);
    }
    ended
}

/// Opens the database, the bus and the service's own clients, and puts the parts of the service together. Nothing
/// runs yet. It waits for a database that is away. Its caller may drop it at any of its awaits: what it has opened
/// is closed then, except the lock of a SQLite file, and a migration that has not committed is rolled back.
///
/// # Errors
/// If a setting of the service's own cannot be used, another process holds the SQLite file, the log's file
/// cannot be opened, or the database answers and refuses: its rights, a pooler, a migration.
async fn prepare<S: Service>(
    config: &Config,
    own: &S::Config,
    server: &Server,
    stopping: watch::Receiver<bool>,
    collecting: bool,
) -> anyhow::Result<(Runtime<S>, App<S>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    // Before the database is opened, as two processes on one SQLite file would send events out of order.
    lock_file(&config.database.url)?;
    let (participant, outside) = S::open(own)?;
    let bus = connect_bus(&client::<S>(), config).await?;
    let db = open_database::<S>(config).await?;
    let options = EngineOptions {
        settings: config.engine_settings(&client::<S>()),
        versions: S::versions(own),
        max_record_bytes: bus.max_record_bytes(),
        replica: uuid_v7(&*clock, &*random),
    };
    let sampling = Sampling::new(config.traces.sample, collecting);
    let mut telemetry = Telemetry::of::<S>(sampling);
    server.register(telemetry.registry());
    participant.register(telemetry.registry());
    let engine = Engine::new(participant, db, Arc::clone(&clock), options);
    engine.metrics().register(telemetry.registry());
    let topics = Topic::all_of::<S::Contract>(config.bus.partitions);
    let surroundings =
        Surroundings { bus: Arc::clone(&bus), outside, random: Arc::clone(&random), topics };
    let (runtime, commands) = Runtime::new(engine, surroundings);
    let parts = Parts {
        commands,
        engine: runtime.engine(),
        bus,
        clock,
        random,
        stopping,
        telemetry: Arc::new(telemetry),
        room: Arc::new(config.http.room()?.open_to(&config.cors.origins, S::WRITABLE_BY_PAGES)),
        // A pool of its own: the engine and slow listings may use all connections of `db`, and the service
        // would then look as if it had lost its database.
        health: Db::connect(&config.database.url, 1).await?,
    };
    Ok((runtime, parts.into()))
}
