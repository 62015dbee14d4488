//! The sandbox as a process.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rustix::fs::Mode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use crate::{Config, Sandbox};

/// A payment gateway, a carrier and a mail sink with a durable ledger and fault knobs.
#[derive(Clone, Debug, Args)]
#[command(version)]
pub struct Arguments {
    /// The address at which to serve HTTP; port 0 takes a free port.
    #[arg(long, env = "QUINTET_SANDBOX__LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// The address at which to serve SMTP; by default the port after the HTTP port.
    #[arg(long, env = "QUINTET_SANDBOX__SMTP")]
    pub smtp: Option<SocketAddr>,
    /// The folder of the ledger, `sandbox.db`.
    #[arg(long, env = "QUINTET_SANDBOX__DATA", default_value = ".quintet")]
    pub data: PathBuf,
}

/// Runs the sandbox until a signal stops it. The exit code is 0 then, and 1 if it cannot run.
///
/// Creates its own Tokio runtime, so it must not be called within another one.
#[must_use]
pub fn main(arguments: Arguments) -> ExitCode {
    // The ledger has personal data, so only this user may read it.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_env_filter(filter)
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quintet-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(options: Arguments) -> anyhow::Result<()> {
    let config = Config {
        listen: options.listen,
        smtp: options.smtp.map_or_else(|| next_port(options.listen), Ok)?,
        data: options.data,
    };
    if let Err(error) = edge::raise_handle_limit() {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    // Installed before the first answer, because a process that sees this one ready may signal it at once.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start(config).await?;
    tracing::info!(http = %sandbox.http(), smtp = %sandbox.smtp(), "listening");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = leash() => tracing::info!("the parent process has ended"),
    }
    tracing::info!("stopping");
    sandbox.stop().await;
    Ok(())
}

fn next_port(http: SocketAddr) -> anyhow::Result<SocketAddr> {
    let port = match http.port() {
        0 => 0,
        port => port
            .checked_add(1)
            .context("there is no port after 65535 for SMTP: choose one with --smtp")?,
    };
    Ok(SocketAddr::new(http.ip(), port))
}

/// With `QUINTET_LEASH=stdin`, waits for the end of stdin, which means that the parent process has ended.
async fn leash() {
    if std::env::var_os("QUINTET_LEASH").is_none_or(|leash| leash != "stdin") {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel::<()>();
    // A thread of its own, because at its end the runtime would wait for a blocked read.
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        let mut stdin = io::stdin().lock();
        while matches!(stdin.read(&mut ignored), Ok(read) if read > 0) {}
        drop(ended);
    });
    // Returns once the thread drops the sender.
    let _ = end.await;
}
