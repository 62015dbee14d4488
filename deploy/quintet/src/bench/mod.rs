//! `quintet bench`: how many orders a suite settles, how long each takes, and what it costs.
//!
//! Throughput comes from a closed loop that keeps requests in flight, latency from an open one in
//! which orders arrive when they are due. What became of all of them is audited in the end.

mod backlog;
mod counters;
mod disk;
mod figures;
mod isolation;
mod load;
mod machine;
mod measure;
mod report;
mod spread;
mod stage;
mod watch;

use crate::shop::Mix;
use anyhow::{Context, Result, bail};
use clap::Args;
use figures::Figures;
use machine::Hints;
use measure::{Plan, Subject};
use quintet_suite::DataDir;
use quintet_suite::Ending;
use quintet_suite::Ports;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::duration;
use quintet_suite::ui::{self, Ui};
use stage::{Override, Place, Stage};
use std::process::ExitCode;
use std::time::Duration;

/// The distance between two suites' ports.
const NEXT_PORTS: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How many orders to place as fast as they are taken; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    orders: u64,
    /// How many requests to keep in flight with those
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// How many orders to place before anything is measured: a broker's JVM is slow until it has seen some
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    warm_up: u64,
    /// How many orders arrive in a second while their latency is measured
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// For how many seconds they arrive; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u32,
    /// How many orders pile up while payment is down, to see how fast they are worked off
    #[arg(long, value_name = "N", default_value_t = 0)]
    backlog: u64,
    /// What becomes of the orders, in which shares
    #[arg(
        long,
        value_name = "MIX",
        default_value = "completed=90,declined=5,refused=3,out-of-stock=2"
    )]
    mix: Mix,
    /// How long to look at the suite when it has nothing to do; 0s for not at all
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    idle: Duration,
    /// Measure instead how much so many orders whose requests to a provider fail cost the orders beside them
    #[arg(long, value_name = "N", conflicts_with = "compare",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    poisoned: Option<u64>,
    /// With --poisoned: the longest pause of the services' repeats
    #[arg(long, value_name = "DURATION", default_value = "30s", requires = "poisoned",
          value_parser = duration::parse)]
    backoff_max: Duration,
    /// Measure a second time with another value of a key of the services' [engine], as in batch=1
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "running")]
    compare: Option<Override>,
    /// Measure the suite that runs on --data, and leave it running, instead of a clean one
    #[arg(long, conflicts_with_all = ["brokers", "postgres", "port", "namespace"])]
    running: bool,
    /// Send events over Kafka instead of the embedded log
    #[arg(long, value_name = "HOST:PORT", value_parser = quintet_suite::brokers)]
    brokers: Option<String>,
    /// Keep data in PostgreSQL instead of SQLite
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The order service's port; all others follow it [default: the first from 8080 on with room]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(Ports::HIGHEST)))]
    port: Option<u16>,
    /// The process id of PostgreSQL's postmaster, where it is not found by itself
    #[arg(long, value_name = "PID")]
    postgres_pid: Option<u32>,
    /// The process id of Kafka, where it is not found by itself
    #[arg(long, value_name = "PID")]
    kafka_pid: Option<u32>,
    /// Prefix of topic, group and database names, to share servers with other suites
    #[arg(long, value_name = "NAME", default_value = "bench_", value_parser = quintet_suite::namespace)]
    namespace: String,
}

impl Bench {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let ui = Ui::default();
        if cfg!(debug_assertions) {
            ui.warn("these are figures of a debug build: `cargo run --release -- bench`");
        }
        let mut ending = Ending::listen()?;
        if let Some(orders) = self.poisoned {
            return self.isolation(orders, session, &ui, &mut ending).await;
        }
        let runs = self.measure(session, &ui, &mut ending).await?;
        let told = if session.json { report::json(&runs).to_string() } else { report::text(&runs) };
        ui::result(&told);
        let sound = runs.iter().all(|run| run.verdict.holds());
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn measure(
        &self,
        session: &Session,
        ui: &Ui,
        ending: &mut Ending,
    ) -> Result<Vec<Figures>> {
        let plan = self.plan();
        if self.running {
            let (suite, _) = session.running().await?;
            let dir = session.dir()?;
            let measuring = Measuring { plan: &plan, dir: &dir, ui };
            return Ok(vec![measuring.of(suite, None, ending).await?]);
        }
        let place = self.place(session)?;
        let measuring = Measuring { plan: &plan, dir: &place.dir, ui };
        let mut runs = vec![measuring.on_stage(&place, None, ending).await?];
        if self.compare.is_some() {
            let changed = self.compare.as_ref();
            runs.push(measuring.on_stage(&place, changed, ending).await?);
        }
        Ok(runs)
    }

    fn plan(&self) -> Plan {
        Plan {
            warm_up: self.warm_up,
            orders: self.orders,
            at_once: self.concurrency.into(),
            backlog: self.backlog,
            per_second: self.rate,
            seconds: self.seconds,
            idle: self.idle,
            mix: self.mix.clone(),
            hints: Hints { postgres: self.postgres_pid, kafka: self.kafka_pid },
        }
    }

    fn place(&self, session: &Session) -> Result<Place> {
        let manifest = session.manifest;
        let roomy = |first: &u16| {
            Ports::of(manifest, Some(*first)).is_ok_and(|ports| ports.check_free(1).is_ok())
        };
        let mut ports = (manifest.first_port()..=Ports::HIGHEST).step_by(NEXT_PORTS);
        let port = self.port.or_else(|| ports.find(roomy));
        Ok(Place {
            session: session.clone(),
            dir: Place::dir(session)?,
            port: port.context("no stretch of ports is free; choose one with --port N")?,
            brokers: self.brokers.clone(),
            postgres: self.postgres.clone(),
            namespace: self.namespace.clone(),
        })
    }
}

/// What is the same in all runs.
struct Measuring<'a> {
    plan: &'a Plan,
    dir: &'a DataDir,
    ui: &'a Ui,
}

impl Measuring<'_> {
    /// Measures a clean suite. What it leaves is deleted, unless there is something to look into.
    async fn on_stage(
        &self,
        place: &Place,
        changed: Option<&Override>,
        ending: &mut Ending,
    ) -> Result<Figures> {
        let overrides = changed.map(std::slice::from_ref).unwrap_or_default();
        let stage = unless_ended(Stage::set(place, overrides), ending).await?;
        let measured = self.of(stage.suite.clone(), changed, ending).await;
        let struck = stage.strike().await;
        if measured.as_ref().is_ok_and(|figures| figures.verdict.holds()) {
            place.clear(self.ui).await?;
        } else {
            self.ui.warn(&format!("data and logs are kept in {}", self.dir.shown().display()));
        }
        struck.and(measured)
    }

    async fn of(
        &self,
        suite: Suite,
        changed: Option<&Override>,
        ending: &mut Ending,
    ) -> Result<Figures> {
        let changed = changed.map(|it| format!(", {it}")).unwrap_or_default();
        let title = format!("{}{changed}", suite.stands_on());
        let measured = async {
            let subject = Subject::new(self.plan, suite, self.dir, self.ui).await?;
            subject.measure(title).await
        };
        unless_ended(measured, ending).await
    }
}

/// Does this, unless a signal comes first.
async fn unless_ended<T>(work: impl Future<Output = Result<T>>, ending: &mut Ending) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = ending.wait() => bail!("interrupted"),
    }
}
