//! Runs a provider that is made of routes.

use crate::component::Component;
use crate::datadir;
use crate::explain;
use crate::manifest::Manifest;
use crate::private;
use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::env;
use std::future::IntoFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

/// Makes the routes of a provider. The argument is the folder for its data.
pub type Routes = fn(&Path) -> Result<Router>;

/// How long open requests may take to end when the provider stops.
const DRAIN: Duration = Duration::from_secs(3);
const LISTEN: &str = "listen";
const DATA: &str = "data";

/// The command line of such a provider.
pub(crate) fn command(name: &'static str) -> Command {
    let listen = Arg::new(LISTEN).long(LISTEN).value_name("ADDRESS");
    let data = Arg::new(DATA).long(DATA).value_name("DIR");
    Command::new(name)
        .about(format!("Play the provider {name} in the foreground"))
        .arg(
            listen
                .value_parser(value_parser!(SocketAddr))
                .help("Where to serve HTTP [default: the port of the suite's file]"),
        )
        .arg(
            data.value_parser(value_parser!(PathBuf))
                .help("Where to keep its data [default: that of the suite]"),
        )
}

/// Serves the routes until the process is told to stop. The exit code is 0 then, and 1 if it cannot serve.
pub(crate) fn run(
    name: &'static str,
    routes: Routes,
    matches: &ArgMatches,
    suite: &Manifest,
) -> ExitCode {
    private::restrict_new_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = runtime.context("cannot start the runtime").and_then(|runtime| {
        let settings = Settings::of(name, matches, suite)?;
        let data = || format!("cannot make the folder {} for its data", settings.data.display());
        std::fs::create_dir_all(&settings.data).with_context(data)?;
        runtime.block_on(serve(routes(&settings.data)?, settings.listen))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}-{name}: {}", suite.name, explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The settings of a provider.
struct Settings {
    listen: SocketAddr,
    /// The folder for its data.
    data: PathBuf,
}

impl Settings {
    /// Reads each setting from the command line, else from the environment (`TRIP_AIRLINE__LISTEN`), else from the
    /// manifest.
    fn of(name: &str, matches: &ArgMatches, suite: &Manifest) -> Result<Self> {
        let component = Component::named(name);
        let variable = |key| component.variable(&suite.name, key);
        let listen = match (matches.get_one(LISTEN), env::var(variable("LISTEN"))) {
            (Some(listen), _) => *listen,
            (None, Ok(text)) => text.parse().with_context(|| {
                format!("{} {text:?}: give HOST:PORT, such as 127.0.0.1:8090", variable("LISTEN"))
            })?,
            (None, Err(_)) => {
                let port = suite.provider(component).map_or(0, |provider| provider.port);
                SocketAddr::from((Ipv4Addr::LOCALHOST, port))
            }
        };
        let data = matches.get_one::<PathBuf>(DATA).cloned();
        let data = data.or_else(|| env::var_os(variable("DATA")).map(PathBuf::from));
        Ok(Self { listen, data: data.unwrap_or_else(|| datadir::name().into()) })
    }
}

/// Serves the routes and the health checks until a signal comes or the launcher has ended.
async fn serve(routes: Router, listen: SocketAddr) -> Result<()> {
    let ready = || async { "ready" };
    let health = Router::new().route("/health/ready", get(ready)).route("/health/live", get(ready));
    // The signal handlers come first: a launcher that has seen the provider ready may stop it at once.
    let mut shutdown = service::shutdown_signal()?;
    let socket = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: stop what listens there, or choose another by --listen")
    })?;
    let (stop, mut stopped) = watch::channel(false);
    let stopping = async move {
        // An error means that the sender was dropped, which ends the provider too.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let serving = axum::serve(socket, routes.merge(health)).with_graceful_shutdown(stopping);
    let ending = async {
        shutdown.recv().await;
        stop.send_replace(true);
        sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving.into_future() => Ok(ended?),
        () = ending => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::trip;

    #[test]
    fn the_command_line_of_a_provider_overrides_the_manifest() {
        let settings = |arguments: &[&str]| {
            let matches = command("airline").try_get_matches_from(arguments).unwrap();
            Settings::of("airline", &matches, trip()).unwrap()
        };
        let default = settings(&["airline"]);
        assert_eq!(
            (default.listen, default.data),
            ("127.0.0.1:9010".parse().unwrap(), datadir::name().into())
        );
        let given = settings(&["airline", "--listen", "127.0.0.1:7", "--data", "/seats"]);
        assert_eq!((given.listen.port(), given.data), (7, "/seats".into()));
    }
}
