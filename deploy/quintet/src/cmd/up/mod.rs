//! `quintet up`.

mod belongings;
mod ending;
mod feed;
mod prepare;
mod report;

use crate::cli::Global;
use crate::datadir::DataDir;
use crate::demo;
use crate::environment::Plan;
use crate::http::Api;
use crate::invocation;
use crate::ports::Ports;
use crate::private;
use crate::program::{Member, Program};
use crate::suite::{Suite, SuiteFile};
use crate::supervisor::{NotReady, Supervisor, listen_for_control, serve_control};
use crate::ui::{self, Ui};
use anyhow::{Context, Result, bail};
use belongings::Belongings;
use clap::Args;
pub(crate) use ending::Ending;
use feed::Feed;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use prepare::Prepared;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Up {
    /// Begin anew: delete the suite's databases, events and logs first
    #[arg(long)]
    fresh: bool,
    /// List and stock a few demo products
    #[arg(long)]
    demo: bool,
    /// Send events over Kafka instead of the embedded log
    #[arg(long, value_name = "HOST:PORT,…", value_parser = brokers)]
    brokers: Option<String>,
    /// Keep data in PostgreSQL instead of SQLite: one database per service is made on this server
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Run so many processes of each service; several need --brokers and --postgres
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = replicas)]
    replicas: usize,
    /// The order service's port; all others follow it
    #[arg(long, value_name = "N", default_value_t = Ports::DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(Ports::HIGHEST)))]
    port: u16,
    /// Do not say which orders end and which services stop and start
    #[arg(long)]
    quiet: bool,
    /// In a checkout: start what is built already
    #[arg(long)]
    no_build: bool,
    /// Prefix of topic, group and database names, such as t1-: keeps suites on the same servers apart
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true,
          value_parser = namespace)]
    namespace: String,
}

/// The suite's files are gone while it runs.
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
    /// What `quintet` does when it is told nothing.
    pub(crate) fn with_demo_products() -> Self {
        Self {
            fresh: false,
            demo: true,
            brokers: None,
            postgres: None,
            replicas: 1,
            port: Ports::DEFAULT,
            quiet: false,
            no_build: false,
            namespace: String::new(),
        }
    }

    /// Runs the suite until a signal ends it.
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        let ui = Ui::default();
        let dir = global.dir()?;
        for opened in dir.create()? {
            ui.warn(&opened);
        }
        let _lock = dir.lock()?;
        let mut ending = Ending::listen()?;
        let prepared = tokio::select! {
            prepared = prepare::prepare(&self, &dir, &ui) => prepared?,
            () = ending.wait() => bail!("interrupted before anything was started"),
        };
        let api = Api::new()?;
        // Not before: what cargo builds is for all who share the checkout.
        private::restrict_new_files();
        let (socket, listener) = listen_for_control(&dir)?;
        let Plan { ports, databases, bus_url, replicas, .. } = &prepared.plan;
        let mut suite = Suite::new(*ports, (databases, *replicas), bus_url, socket.path.clone());
        suite.bus.namespace.clone_from(&prepared.plan.namespace);
        let file = Arc::new(SuiteFile::create(&dir, suite)?);
        let launches = prepared.launches();
        let supervisor = Supervisor::new(launches, Arc::clone(&file), &ui, api.clone());
        let supervisor = Arc::new(supervisor);
        let serving = tokio::spawn(serve_control(listener, Arc::clone(&supervisor)));

        let outcome = tokio::select! {
            outcome = self.bring_up(&supervisor, &api, &ui) => outcome,
            () = ending.wait() => Err(anyhow::anyhow!("interrupted before the suite was ready")),
        };
        let outcome = match outcome {
            Ok(()) => {
                self.report(global, &prepared, &supervisor.suite());
                self.watch(&dir, &supervisor.suite(), &mut ending, &ui).await
            }
            failed => failed,
        };
        ui.set_telling(false);
        if matches!(&outcome, Err(error) if error.is::<Lost>()) {
            // There is nothing left that draining could save.
            file.abandon();
            socket.abandon();
            supervisor.hurry();
        }
        stop(&supervisor, &mut ending, &ui).await;
        serving.abort();
        file.remove().context("cannot remove up.json")?;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    /// Tells what happens until a signal comes.
    ///
    /// # Errors
    /// When the suite's files are gone.
    async fn watch(
        &self,
        dir: &DataDir,
        suite: &Suite,
        ending: &mut Ending,
        ui: &Ui,
    ) -> Result<()> {
        let belongings = Belongings::of(dir, suite);
        ui.set_telling(!self.quiet);
        let feed = async {
            if !self.quiet {
                Feed::of(suite, ui)?.run().await;
            }
            std::future::pending::<Result<()>>().await
        };
        tokio::select! {
            () = ending.wait() => Ok(()),
            path = belongings.lost() => {
                let shown = dir.shown_path(&path).display().to_string();
                Err(Lost { shown, start: invocation::start(&dir.argument()) }.into())
            }
            failed = feed => failed,
        }
    }

    async fn bring_up(&self, supervisor: &Supervisor, api: &Api, ui: &Ui) -> Result<()> {
        for program in Program::ALL {
            supervisor.start(program).await;
        }
        wait_until_ready(supervisor, ui).await?;
        if self.demo {
            let _progress = ui.spinner("listing demo products");
            let suite = supervisor.suite();
            demo::seed(&suite, api).await?;
            if let Err(error) = demo::wait_until_known(&suite, api).await {
                ui.warn(&crate::explain(&error));
            }
        }
        Ok(())
    }

    fn report(&self, global: &Global, prepared: &Prepared<'_>, suite: &Suite) {
        if global.json {
            ui::result(&serde_json::json!(suite).to_string());
            return;
        }
        let command = if prepared.in_checkout { "cargo run --" } else { "quintet" };
        ui::result(&report::text(suite, prepared.plan.dir, self.demo, command));
    }
}

async fn wait_until_ready(supervisor: &Supervisor, ui: &Ui) -> Result<(), NotReady> {
    let mut missing = BTreeSet::from(Program::ALL);
    let waiting_for = |missing: &BTreeSet<Program>| {
        let names: Vec<&str> = missing.iter().map(|program| program.name()).collect();
        format!("waiting for {}", names.join(", "))
    };
    let progress = ui.spinner(&waiting_for(&missing));
    let mut waiting: FuturesUnordered<_> = Program::ALL
        .into_iter()
        .map(|program| async move { supervisor.ready(program).await.map(|()| program) })
        .collect();
    while let Some(ready) = waiting.next().await {
        missing.remove(&ready?);
        progress.now(&waiting_for(&missing));
    }
    Ok(())
}

/// Stops everything in order; a second signal kills what is still draining.
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

fn replicas(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=Member::MOST).contains(count));
    count.ok_or_else(|| format!("give 1 to {}", Member::MOST))
}

/// Reads `HOST:PORT[,HOST:PORT…]`.
pub(crate) fn brokers(text: &str) -> Result<String, String> {
    let is_broker = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if text.split(',').all(is_broker) {
        Ok(text.to_owned())
    } else {
        Err("give HOST:PORT, several separated by commas".to_owned())
    }
}

/// Database names end at 63 bytes, and a longer one would be cut in silence.
const NAMESPACE_BYTES: usize = 32;

/// Reads the beginning of names of topics, groups and databases.
pub(crate) fn namespace(text: &str) -> Result<String, String> {
    let begins_well = text.is_empty() || text.starts_with(|first: char| first.is_ascii_lowercase());
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if begins_well && text.len() <= NAMESPACE_BYTES && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(format!("use at most {NAMESPACE_BYTES} of a-z, 0-9, `-` and `_`, a letter first"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_what_errors_advise() {
        let help = Up::augment_args(clap::Command::new("up")).render_long_help().to_string();
        for advised in ["--namespace <NAME>", "--brokers <HOST:PORT,…>", "--postgres", "--fresh"]
        {
            assert!(help.contains(advised), "{advised} is not in\n{help}");
        }
    }

    #[test]
    fn brokers_need_a_port_each() {
        brokers("localhost:9092").unwrap();
        brokers("a:1,[::1]:2").unwrap();
        for bad in ["", "localhost", "a:1,b", ":9092", "a:0", "a:70000"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn replicas_are_at_least_one_and_as_many_as_have_ports() {
        assert_eq!(replicas("3"), Ok(3));
        for bad in ["0", "10", "-1", "many", ""] {
            assert!(replicas(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces_hold_nothing_that_a_name_could_not() {
        namespace("t1-").unwrap();
        for bad in ["T", "1", "a\"b", "a b", &"x".repeat(33)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
