//! `up`: starts a suite, keeps it running, and stops it when the user asks for it.

mod ending;
mod feed;
mod files;
mod prepare;
mod report;
mod values;

use crate::component::Component;
use crate::datadir::DataDir;
use crate::environment::Plan;
use crate::extension::{Extension, UpContext};
use crate::http::Api;
use crate::invocation;
use crate::manifest::Manifest;
use crate::ports::Ports;
use crate::private;
use crate::session::Session;
use crate::suite::{Bus, NewSuite, Suite, SuiteFile};
use crate::supervisor::{NotReady, Supervisor, listen_for_control, serve_control};
use crate::ui::{self, Ui};
use anyhow::{Context, Result, bail};
use clap::Args;
pub use ending::Ending;
use feed::Feed;
use files::SuiteFiles;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use prepare::Inputs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use values::replicas;
pub use values::{brokers, namespace};

/// The options of `up`.
#[derive(Debug, Default, Args)]
pub struct Up {
    /// What the suite is made of, in a file of your own; several services, providers and settings
    #[arg(long, value_name = "FILE")]
    suite: Option<PathBuf>,
    /// Begin anew: delete the suite's databases, events and logs first
    #[arg(long)]
    fresh: bool,
    /// Bring the demo data of the suite
    #[arg(long)]
    demo: bool,
    /// Send events over Kafka instead of the embedded log
    #[arg(long, value_name = "HOST:PORT,…", value_parser = brokers)]
    brokers: Option<String>,
    /// Keep data in PostgreSQL instead of SQLite: one database per service is made on this server
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Run so many processes of each service; several need --brokers and --postgres
    #[arg(long, value_name = "N", default_value = "1", value_parser = replicas)]
    replicas: Option<usize>,
    /// The first service's port, all others follow it [default: as the suite's file says]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(Ports::HIGHEST)))]
    port: Option<u16>,
    /// Print neither the events of the services nor which of them stop and start
    #[arg(short, long)]
    quiet: bool,
    /// Prefix of topic, group and database names, such as t1-: keeps suites on the same servers apart
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true,
          value_parser = namespace)]
    namespace: String,
}

/// A file of the suite was deleted or replaced while the suite ran.
#[derive(Debug, thiserror::Error)]
#[error(
    "{shown} was deleted or replaced while the suite ran, and what it accepts would be lost: it was stopped; \
     `{start}` starts a new one"
)]
struct Lost {
    shown: String,
    start: String,
}

impl Up {
    /// `up --demo`, which the program runs if the user gives no command.
    #[must_use]
    pub fn with_demo() -> Self {
        Self { demo: true, ..Self::default() }
    }

    /// Runs the suite until a signal ends it.
    ///
    /// # Errors
    /// If the suite does not get ready, or one of its files is deleted or replaced. The suite is stopped in any case.
    pub async fn run(self, session: &Session, extension: &dyn Extension) -> Result<ExitCode> {
        let manifest = self.manifest(session)?;
        let ui = Ui::of(manifest, self.replicas());
        let dir = session.dir()?;
        for warning in dir.create(manifest)? {
            ui.warn(&warning);
        }
        let _lock = dir.lock()?;
        let mut ending = Ending::listen()?;
        let inputs = Inputs { up: &self, manifest, session, dir: &dir };
        let prepared = tokio::select! {
            prepared = prepare::prepare(inputs, &ui) => prepared?,
            () = ending.wait() => bail!("interrupted before anything was started"),
        };
        let api = Api::new()?;
        private::restrict_new_files();
        let (socket, listener) = listen_for_control(&dir)?;
        let file = Arc::new(SuiteFile::create(&dir, prepared.plan.suite(socket.path.clone()))?);
        let launches = prepared.launches();
        let supervisor = Supervisor::new(launches, Arc::clone(&file), &ui, api.clone());
        let supervisor = Arc::new(supervisor);
        let serving = tokio::spawn(serve_control(listener, Arc::clone(&supervisor)));

        let context = UpContext { ui: &ui, api: &api, demo: &manifest.demo };
        let outcome = tokio::select! {
            outcome = self.bring_up(&supervisor, extension, &context) => outcome,
            () = ending.wait() => Err(anyhow::anyhow!("interrupted before the suite was ready")),
        };
        let outcome = match outcome {
            Ok(()) => {
                let feed = self.feed(session, &ui).await;
                match self.report(session, &dir, &supervisor.suite(), extension) {
                    Ok(()) => self.watch(&dir, &supervisor.suite(), &mut ending, feed, &ui).await,
                    failed => failed,
                }
            }
            failed => failed,
        };
        if matches!(&outcome, Err(error) if error.is::<Lost>()) {
            // Draining is useless now: the services would write to files that no longer exist.
            file.abandon();
            socket.abandon();
            supervisor.hurry();
        }
        stop(&supervisor, &mut ending, &ui).await;
        serving.abort();
        file.remove().context("cannot remove up.json")?;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    /// The manifest in the user's file, else that of the program.
    fn manifest(&self, session: &Session) -> Result<&'static Manifest> {
        let Some(path) = &self.suite else { return Ok(session.manifest) };
        // It is leaked because it is needed until the process ends.
        Ok(Box::leak(Box::new(Manifest::read(path)?)))
    }

    /// The number of processes of each service.
    pub(super) fn replicas(&self) -> usize {
        self.replicas.unwrap_or(1)
    }

    /// The feed of the suite's events, unless the user has asked for silence.
    async fn feed<'a>(&self, session: &'a Session, ui: &'a Ui) -> Option<Feed<'a>> {
        if self.quiet { None } else { Some(Feed::begin(session, ui).await) }
    }

    /// Prints what happens in the suite until a signal comes.
    ///
    /// # Errors
    /// If a file of the suite is deleted or replaced.
    async fn watch(
        &self,
        dir: &DataDir,
        suite: &Suite,
        ending: &mut Ending,
        feed: Option<Feed<'_>>,
        ui: &Ui,
    ) -> Result<()> {
        let files = SuiteFiles::of(dir, suite);
        let _printing = ui.print_on_a_thread();
        ui.set_telling(!self.quiet);
        let feed = async {
            if let Some(feed) = feed {
                feed.run().await;
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            () = ending.wait() => Ok(()),
            path = files.lost() => {
                let shown = dir.shown_path(&path).display().to_string();
                Err(Lost { shown, start: invocation::start(&dir.argument()) }.into())
            }
            () = feed => Ok(()),
        };
        ui.set_telling(false);
        ended
    }

    /// Starts all programs, waits until they are ready, and brings the demo data if the user wants it.
    async fn bring_up(
        &self,
        supervisor: &Supervisor,
        extension: &dyn Extension,
        context: &UpContext<'_>,
    ) -> Result<()> {
        for component in supervisor.suite().components() {
            supervisor.start(component).await;
        }
        wait_until_ready(supervisor, context.ui).await?;
        if self.demo {
            extension.bring_demo(&supervisor.suite(), context).await?;
        }
        Ok(())
    }

    fn report(
        &self,
        session: &Session,
        dir: &DataDir,
        suite: &Suite,
        extension: &dyn Extension,
    ) -> Result<()> {
        if session.json {
            ui::result(&serde_json::to_string(suite)?);
            return Ok(());
        }
        let hints = extension.hints(suite, self.demo, &dir.argument());
        ui::result(&report::text(suite, dir, &hints));
        Ok(())
    }
}

impl Plan<'_> {
    /// The content of `up.json` before any program runs.
    fn suite(&self, control: PathBuf) -> Suite {
        let url = self.bus_url.clone();
        let kind = url.split(':').next().unwrap_or_default().to_owned();
        Suite::new(NewSuite {
            manifest: self.manifest,
            ports: self.ports,
            databases: &self.databases,
            replicas: self.replicas,
            bus: Bus { kind, url, namespace: self.namespace.clone() },
            control,
        })
    }
}

async fn wait_until_ready(supervisor: &Supervisor, ui: &Ui) -> Result<(), NotReady> {
    let suite = supervisor.suite();
    let mut missing: Vec<Component> = suite.components().collect();
    let waiting_for = |missing: &[Component]| {
        let names: Vec<&str> = missing.iter().map(|component| component.name()).collect();
        format!("waiting for {}", names.join(", "))
    };
    let progress = ui.spinner(&waiting_for(&missing));
    let mut waiting: FuturesUnordered<_> = suite
        .components()
        .map(|component| async move { supervisor.ready(component).await.map(|()| component) })
        .collect();
    while let Some(ready) = waiting.next().await {
        let ready = ready?;
        missing.retain(|component| *component != ready);
        progress.now(&waiting_for(&missing));
    }
    Ok(())
}

/// Stops the suite in order. A second signal kills the processes that are still draining.
async fn stop(supervisor: &Supervisor, ending: &mut Ending, ui: &Ui) {
    let _progress = ui.spinner("stopping (once more to kill at once)");
    let stopped = supervisor.stop_all();
    tokio::pin!(stopped);
    tokio::select! {
        () = &mut stopped => return,
        () = ending.wait() => supervisor.hurry(),
    }
    stopped.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_each_option_that_an_error_advises() {
        let help = Up::augment_args(clap::Command::new("up")).render_long_help().to_string();
        for advised in [
            "--suite <FILE>",
            "--namespace <NAME>",
            "--brokers <HOST:PORT,…>",
            "--postgres",
            "--fresh",
        ] {
            assert!(help.contains(advised), "{advised} is not in\n{help}");
        }
    }
}
