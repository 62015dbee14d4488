//! `quintet bench`: measures how many orders a suite settles, how long each takes, and what each costs.
//!
//! Throughput is measured in a closed loop, which keeps a number of requests in flight. Latency is measured in an open loop,
//! in which orders arrive at a steady rate. Afterwards the suite is audited: figures of a suite that lost an order are worth
//! nothing.

mod backlog;
mod counters;
mod customers;
mod disk;
mod end_counter;
mod figures;
mod isolation;
mod machine;
mod measured_suite;
mod own_suite;
mod report;
mod spread;

use crate::shop::Mix;
use anyhow::{Context, Result, bail};
use clap::Args;
use figures::Figures;
use machine::Hints;
use measured_suite::{MeasuredSuite, Plan};
use own_suite::{Override, OwnSuite, Setup};
use quintet_suite::DataDir;
use quintet_suite::Ending;
use quintet_suite::Ports;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::duration;
use quintet_suite::ui::{self, Ui};

use std::process::ExitCode;
use std::time::Duration;

/// How far apart the first ports are that are tried for a suite.
const PORT_STEP: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How many orders to place as fast as they are taken; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    orders: u64,
    /// How many of those requests to keep in flight
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
    /// For how many seconds orders arrive at --rate; 0 leaves this measurement out
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u32,
    /// How many orders pile up while payment is down, to see how fast they are worked off
    #[arg(long, value_name = "N", default_value_t = 0)]
    backlog: u64,
    /// The shares of orders that end in each way
    #[arg(
        long,
        value_name = "MIX",
        default_value = "completed=90,declined=5,refused=3,out-of-stock=2"
    )]
    mix: Mix,
    /// How long to measure the suite when it has nothing to do; 0s for not at all
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    idle: Duration,
    /// Measure instead how much N orders whose requests to a provider fail slow down the orders beside them
    #[arg(long, value_name = "N", conflicts_with = "compare",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    poisoned: Option<u64>,
    /// With --poisoned: the longest pause between two attempts of a service at a request
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
    /// The process id of PostgreSQL's postmaster, if the bench does not find it
    #[arg(long, value_name = "PID")]
    postgres_pid: Option<u32>,
    /// The process id of Kafka, if the bench does not find it
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
        let report =
            if session.json { report::json(&runs).to_string() } else { report::text(&runs) };
        ui::result(&report);
        let sound = runs.iter().all(|run| run.audit_result.holds());
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
            let bench = Measurement { plan: &plan, dir: &dir, ui };
            return Ok(vec![bench.of_suite(suite, None, ending).await?]);
        }
        let setup = self.setup(session)?;
        let bench = Measurement { plan: &plan, dir: &setup.dir, ui };
        let mut runs = vec![bench.of_own_suite(&setup, None, ending).await?];
        if self.compare.is_some() {
            let changed = self.compare.as_ref();
            runs.push(bench.of_own_suite(&setup, changed, ending).await?);
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

    fn setup(&self, session: &Session) -> Result<Setup> {
        let manifest = session.manifest;
        let are_free = |first: &u16| {
            Ports::of(manifest, Some(*first)).is_ok_and(|ports| ports.check_free(1).is_ok())
        };
        let mut first_ports = (manifest.first_port()..=Ports::HIGHEST).step_by(PORT_STEP);
        let port = self.port.or_else(|| first_ports.find(are_free));
        Ok(Setup {
            session: session.clone(),
            dir: Setup::dir(session)?,
            port: port.context("no range of ports is free for a suite: choose one by --port N")?,
            brokers: self.brokers.clone(),
            postgres: self.postgres.clone(),
            namespace: self.namespace.clone(),
        })
    }
}

/// The parts of a measurement that are the same in all runs.
struct Measurement<'a> {
    plan: &'a Plan,
    dir: &'a DataDir,
    ui: &'a Ui,
}

impl Measurement<'_> {
    /// Measures a suite that is started for this run. Its data is deleted afterwards, but kept for a look at it if the
    /// measurement or the audit failed.
    async fn of_own_suite(
        &self,
        setup: &Setup,
        changed: Option<&Override>,
        ending: &mut Ending,
    ) -> Result<Figures> {
        let overrides = changed.map(std::slice::from_ref).unwrap_or_default();
        let own_suite = unless_interrupted(OwnSuite::start(setup, overrides), ending).await?;
        let measured = self.of_suite(own_suite.suite.clone(), changed, ending).await;
        let stopped = own_suite.stop().await;
        if measured.as_ref().is_ok_and(|figures| figures.audit_result.holds()) {
            setup.clear(self.ui).await?;
        } else {
            self.ui.warn(&format!("data and logs are kept in {}", self.dir.shown().display()));
        }
        stopped.and(measured)
    }

    async fn of_suite(
        &self,
        suite: Suite,
        changed: Option<&Override>,
        ending: &mut Ending,
    ) -> Result<Figures> {
        let changed = changed.map(|change| format!(", {change}")).unwrap_or_default();
        let title = format!("{}{changed}", suite.stands_on());
        let measuring = async {
            let measured_suite = MeasuredSuite::new(self.plan, suite, self.dir, self.ui).await?;
            measured_suite.measure(title).await
        };
        unless_interrupted(measuring, ending).await
    }
}

/// Runs `work` to its end, or fails when a signal asks this process to end.
async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T>>,
    ending: &mut Ending,
) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = ending.wait() => bail!("interrupted"),
    }
}
