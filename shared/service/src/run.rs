use std::{future::Future, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use bus::Topic;
use clap::{Args, Parser};
use clock::{Clock, Random, SystemClock, SystemRandom, uuid_v7};
use edge::{Listener, Server};
use engine::{Engine, EngineOptions, Fatal, Runtime, Surroundings};
use event::Contract;
use rustix::fs::Mode;
use store::{Db, StoreError};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{
    App, Config, Parts, Sampling, Service, Telemetry,
    config::{self, Defaults, Loaded, Secrets},
    http::with_origins,
    leash::{Shutdown, shutdown_signal},
    router::{admin_router, public_router},
    servers::{check_servers, connect_bus, lock_file, open_database},
    telemetry::{self, Collector},
};

/// The exit code of a service that may do better when it is started again.
const FAILED: u8 = 1;
/// The exit code of a service whose configuration is wrong, or which the broker refuses for good:
/// starting it again changes nothing (`EX_USAGE` of sysexits.h).
const REFUSED: u8 = 64;
/// The exit code of a service whose next events are not at the broker: what was deleted must not be
/// passed over (`EX_DATAERR`).
const OUT_OF_REACH: u8 = 65;
/// How long requests in flight may take once the service stops.
const HTTP_DRAIN: Duration = Duration::from_secs(5);
/// How long threads that still block may take at the very end.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// What the command line of a service takes.
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

/// Runs a service as a program of its own: [`main_with`] what its command line says.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    main_with::<S>(&CommandLine::parse().arguments)
}

/// Runs a service until it is told to stop. Exit code 0 after draining, 64 where a restart would
/// not help, 65 where events were deleted before they were read, 1 otherwise.
///
/// It builds the runtime that the service runs in, so it must not be called within another one.
#[must_use]
pub fn main_with<S: Service>(args: &Arguments) -> ExitCode {
    // Databases and the log hold addresses: what this process writes is for its user alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // The first one wins, and nobody was before us.
    #[cfg(feature = "tls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    if args.print_config {
        print!("{}", defaults::<S>().text());
        return ExitCode::SUCCESS;
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
        return ExitCode::SUCCESS;
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
    collecting.end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(match error.downcast_ref() {
            Some(
                Fatal::Missed { .. }
                | Fatal::Ahead { .. }
                | Fatal::Forgotten { .. }
                | Fatal::Stranger { .. }
                | Fatal::Unread { .. },
            ) => OUT_OF_REACH,
            Some(_) => REFUSED,
            None if is_misplaced(&error) => REFUSED,
            None => FAILED,
        }),
    }
}

/// Says what is wrong with the settings, and does not start.
fn refuse<S: Service>(secrets: &Secrets, error: &anyhow::Error) -> ExitCode {
    eprintln!("{}-{}: {}", S::Contract::NAMESPACE, S::NAME, secrets.hide(&format!("{error:#}")));
    ExitCode::from(REFUSED)
}

/// Whether `database.url` names what can never serve.
fn is_misplaced(error: &anyhow::Error) -> bool {
    let url_or_pooler =
        |error: &StoreError| matches!(error, StoreError::Url { .. } | StoreError::Pooled);
    error.downcast_ref().is_some_and(url_or_pooler)
}

/// What the broker and the collector of traces know this process by, such as `travel-booking`.
fn client<S: Service>() -> String {
    format!("{}-{}", S::Contract::NAMESPACE, S::NAME)
}

fn defaults<S: Service>() -> Defaults {
    Defaults::new(S::Contract::NAMESPACE, S::NAME, S::CONFIG)
}

fn settings<S: Service>(
    args: &Arguments,
    secrets: &mut Secrets,
) -> anyhow::Result<Loaded<S::Config>> {
    let (file, variables) = (args.config.as_deref(), std::env::vars());
    let loaded: Loaded<S::Config> = config::load(&defaults::<S>(), file, variables, secrets)?;
    // What only the service itself can judge; some clients cannot be made outside a runtime.
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
    // Whatever still blocks a thread now is not worth waiting for.
    runtime.shutdown_timeout(LAST_BREATH);
    result
}

async fn run_in<S: Service>(
    config: &Config,
    own: &S::Config,
    collecting: bool,
) -> anyhow::Result<()> {
    let mut shutdown = shutdown_signal()?;
    let (public, private) = (
        listen("listen", config.listen).await?,
        listen("admin_listen", config.admin_listen).await?,
    );
    let server = Arc::new(Server::new(config.http.proxies()?));
    let (http_stop, http_stopped) = watch::channel(false);
    let prepared = tokio::select! {
        prepared = prepare::<S>(config, own, &server, http_stopped.clone(), collecting) => prepared?,
        why = shutdown.recv() => {
            tracing::info!("{} stops before it was ready: {why}", S::NAME);
            return Ok(());
        }
    };
    let (runtime, app) = prepared;
    let routes =
        with_origins(public_router::<S>(app.clone()), &config.cors.origins, S::WRITABLE_BY_PAGES);
    let listeners = [
        Listener { name: "public", socket: public, limits: config.http.limits(), router: routes },
        Listener {
            name: "admin",
            socket: private,
            limits: config.http.admin_limits(),
            router: admin_router::<S>(app),
        },
    ];
    let [serving, administering] = listeners.map(|listener| {
        let (server, stopped) = (Arc::clone(&server), http_stopped.clone());
        tokio::spawn(async move { server.serve(listener, stopped).await })
    });
    tracing::info!(
        "{} on http://{}, admin on http://{}",
        S::NAME,
        config.listen,
        config.admin_listen
    );

    let (stop, stopped) = watch::channel(false);
    let mut running = tokio::spawn(runtime.run(stopped));
    let early = tokio::select! {
        why = shutdown.recv() => {
            tracing::info!("{} drains: {why}", S::NAME);
            None
        }
        ended = &mut running => Some(ended),
    };
    let drained = async {
        http_stop.send_replace(true);
        if timeout(HTTP_DRAIN, async { tokio::join!(serving, administering) }).await.is_err() {
            tracing::warn!("some requests were still open after {HTTP_DRAIN:?}");
        }
        stop.send_replace(true);
        match early {
            Some(ended) => ended,
            None => running.await,
        }
    };
    let ended = until_second(drained, shutdown).await.context("stopped before it had drained")?;
    tracing::info!("{} has stopped", S::NAME);
    Ok(ended??)
}

/// Runs `drained` to its end, or until told to stop once more.
async fn until_second<T>(drained: impl Future<Output = T>, mut shutdown: Shutdown) -> Option<T> {
    tokio::select! {
        done = drained => Some(done),
        _ = shutdown.recv() => None,
    }
}

async fn listen(setting: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{setting} = {address}"))
}

/// Opens everything; waits for the database.
async fn prepare<S: Service>(
    config: &Config,
    own: &S::Config,
    server: &Server,
    stopping: watch::Receiver<bool>,
    collecting: bool,
) -> anyhow::Result<(Runtime<S>, App<S>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
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
    let (bus_handle, shared_random) = (Arc::clone(&bus), Arc::clone(&random));
    let around = Surroundings { bus: bus_handle, outside, random: shared_random, topics };
    let (runtime, commands) = Runtime::new(engine, around);
    let parts = Parts {
        commands,
        engine: runtime.engine(),
        bus,
        clock,
        random,
        stopping,
        telemetry: Arc::new(telemetry),
        room: Arc::new(config.http.room()?.open_to(&config.cors.origins, S::WRITABLE_BY_PAGES)),
        health: Db::connect(&config.database.url, 1).await?,
    };
    Ok((runtime, parts.into()))
}
