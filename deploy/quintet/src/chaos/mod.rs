//! `quintet chaos`: customers place and cancel orders while processes are killed, stopped and restarted and providers
//! misbehave.
//!
//! A seed decides what is struck and when (`plan`), and the `executor` does it. Afterwards all processes are started, all
//! faults end, and the suite is audited against the customers' own list of the answers that they got. Exit code 0: every
//! promise was kept. 1: one was broken. 2: the suite did not come to rest.

mod action;
mod commands;
mod customers;
mod executor;
mod faults;
mod plan;
mod report;

use crate::cmd::audit;
use crate::orders::Client;
use crate::shop::{Mix, Shop};
use action::ActionKind;
use anyhow::{Result, bail};
use clap::Args;
use clock::{Random, SystemRandom};
use commands::Commands;
use customers::{Cancellations, Customers, Promises};
use executor::Executor;
use futures::future::join;
use plan::{Plan, Strike, Targets};
#[cfg(test)]
use quintet_suite::Component;
use quintet_suite::Ending;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::duration;
use quintet_suite::http::Api;
use quintet_suite::ui::{self, Progress, Ui};
use report::{Aftermath, CarriedOut, Summary};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Orders a second, unless the user gives both a number of orders and a time.
const RATE: u64 = 25;
const DEFAULT_SECONDS: u64 = 60;
/// How long a customer repeats a request. Every action is over long before.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often the progress bar is updated.
const POLL: Duration = Duration::from_millis(100);
/// Seeds are drawn below this number, so that they are short to type.
const SEEDS: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// How long the orders arrive [default: as long as --orders take at 25 a second, else 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// The seed of the plan: the same seed strikes the same things at the same times [default: any]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many orders are placed, evenly over the time [default: 25 a second]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    orders: Option<u64>,
    /// The shares of orders that end in each way
    #[arg(
        long,
        value_name = "MIX",
        default_value = "completed=65,declined=10,refused=10,out-of-stock=5,lost-answer=5,flaky=5"
    )]
    mix: Mix,
    /// How many of a hundred customers cancel their order soon after placing it
    #[arg(long, value_name = "PERCENT", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(0..=100))]
    cancelling: u64,
    /// How long to wait for the suite to come to rest before the audit
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    wait: Duration,
    #[command(flatten)]
    commands: Commands,
}

/// A run that is prepared or under way.
struct Run {
    executor: Arc<Executor>,
    customers: Customers,
    strikes: Vec<Strike>,
    lasting: Duration,
    orders: u64,
    ui: Ui,
}

impl Chaos {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let (suite, api) = session.running().await?;
        let mut ending = Ending::listen()?;
        let seed = self.seed.unwrap_or_else(|| SystemRandom.below(SEEDS));
        let run = self.prepare(session, &suite, &api, seed).await?;
        let begun = Instant::now();
        let played = tokio::select! {
            played = run.play() => Some(played?),
            () = ending.wait() => None,
        };
        let Some(Played { strikes, aftermath, promises }) = played else {
            run.executor.heal().await?;
            bail!("interrupted: all processes run and all faults have ended");
        };
        let lasted = begun.elapsed();
        let accepted = Some(&promises.accepted[..]);
        let audit_result = audit::audit_suite(&suite, api, self.wait, accepted).await?;
        let forgotten = run.customers.forgotten(&promises).await?;
        let summary = Summary {
            seed,
            lasted,
            strikes,
            aftermath,
            promises,
            forgotten,
            audit_result,
            waited: self.wait,
        };
        let report =
            if session.json { report::json(&summary).to_string() } else { report::text(&summary) };
        ui::result(&report);
        Ok(summary.exit_code())
    }

    async fn prepare(&self, session: &Session, suite: &Suite, api: &Api, seed: u64) -> Result<Run> {
        let ui = Ui::default();
        let (orders, lasting) = extent(self.orders, self.seconds);
        let (dir, commands) = (session.dir()?, self.commands.clone());
        let executor = Executor::new(dir, suite.clone(), api.clone(), commands, seed);
        let targets = Targets::of(executor.suite(), executor.possible());
        warn_of_impossible_actions(suite, &targets, &ui);
        let progress = ui.spinner("stocking the shelves");
        let shop = Shop::open("chaos", suite, api, &self.mix, orders).await?;
        drop(progress);
        let client = Client::patient(suite, api.clone(), PATIENCE);
        let cancellations = Cancellations { seed, percent: self.cancelling };
        let customers = Customers::new(client, shop, orders, cancellations);
        let strikes = Plan::new(seed, targets).take_while(|strike| strike.at < lasting).collect();
        ui.line(&format!("chaos by seed {seed}: --seed {seed} strikes the same things again"));
        Ok(Run { executor: Arc::new(executor), customers, strikes, lasting, orders, ui })
    }
}

/// The number of orders, and the time over which they arrive.
fn extent(orders: Option<u64>, seconds: Option<u64>) -> (u64, Duration) {
    let seconds = seconds.or_else(|| orders.map(|orders| orders.div_ceil(RATE)));
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    (orders.unwrap_or(seconds * RATE), Duration::from_secs(seconds))
}

/// Warns of actions that the run leaves out because the user gave no command for them. Kafka and PostgreSQL count only if
/// the suite uses them.
fn warn_of_impossible_actions(suite: &Suite, targets: &Targets, ui: &Ui) {
    let on_kafka = suite.bus.kind == "kafka" || suite.control.is_none();
    let on_postgres = suite.stands_on().ends_with("PostgreSQL");
    let warnings = [
        (ActionKind::Kill, true, "nothing is killed: say how by --kill-with and --start-with"),
        (ActionKind::Kafka, on_kafka, "Kafka is not restarted: say how by --restart-kafka"),
        (
            ActionKind::Postgres,
            on_postgres,
            "PostgreSQL is not restarted: say how by --restart-postgres",
        ),
    ];
    for (kind, applies, warning) in warnings {
        if applies && !targets.possible.contains(&kind) {
            ui.warn(warning);
        }
    }
}

/// What came of a run, before the audit.
struct Played {
    strikes: Vec<CarriedOut>,
    aftermath: Aftermath,
    promises: Promises,
}

impl Run {
    /// Carries out the strikes while customers arrive, heals the suite, and waits until every customer has an answer.
    ///
    /// # Errors
    /// When an accepted order has no valid id.
    async fn play(&self) -> Result<Played> {
        let bar = self.ui.bar("chaos", self.orders);
        let striking = async {
            let strikes = self.strike(&bar).await;
            // Before `heal`, which starts those programs again.
            let left_down = self.executor.left_down().await;
            bar.now("healing");
            let unhealed =
                self.executor.heal().await.err().map(|error| quintet_suite::explain(&error));
            bar.now("the last customers");
            (strikes, Aftermath { left_down, unhealed })
        };
        let ordering = self.customers.arrive(self.lasting);
        let updating_bar = async {
            loop {
                bar.at(self.customers.accepted());
                sleep(POLL).await;
            }
        };
        tokio::select! {
            ((strikes, aftermath), promises) = join(striking, ordering) => {
                Ok(Played { strikes, aftermath, promises: promises? })
            }
            never = updating_bar => never,
        }
    }

    /// Begins each strike when it is due, also while earlier ones last, and waits until all are over.
    async fn strike(&self, bar: &Progress) -> Vec<CarriedOut> {
        let (begun, mut striking) = (Instant::now(), JoinSet::new());
        for (nth, strike) in self.strikes.iter().enumerate() {
            sleep_until(begun + strike.at).await;
            self.ui.line(&format!("{:>6.1} s  {}", strike.at.as_secs_f64(), strike.action));
            bar.now(&strike.action.to_string());
            let (executor, strike) = (Arc::clone(&self.executor), strike.clone());
            striking.spawn(async move {
                let hit = executor.carry_out(nth, &strike.action).await;
                let hit = hit.map_err(|error| quintet_suite::explain(&error));
                (nth, CarriedOut { strike, hit })
            });
        }
        let mut strikes = striking.join_all().await;
        strikes.sort_by_key(|(nth, _)| *nth);
        strikes.into_iter().map(|(_, strike)| strike).collect()
    }
}

/// A suite of the order saga with this many replicas of each service, read from JSON as `up.json` has it.
#[cfg(test)]
pub(crate) fn suite_of_test(replicas: usize) -> Suite {
    let text = testkit::only_services(include_str!("../../../../suite.toml"), &::audit::SERVICES);
    let manifest = quintet_suite::Manifest::built_in(&text).unwrap();
    let ports = quintet_suite::Ports::of(Box::leak(Box::new(manifest.clone())), None).unwrap();
    let service = |name: Component| {
        let urls = name.members(replicas).map(|member| {
            let (url, admin) = (ports.public(member), ports.admin(member));
            serde_json::json!({"url": format!("http://{url}"), "admin_url": format!("http://{admin}")})
        });
        let urls: Vec<serde_json::Value> = urls.collect();
        let mut service = urls[0].clone();
        service["replicas"] = urls.into();
        format!("{:?}: {service}", name.name())
    };
    let provider = |provider: &quintet_suite::manifest::Provider| {
        let url = format!("http://{}", ports.public(provider.name));
        format!("{:?}: {}", provider.name.name(), serde_json::json!({ "url": url }))
    };
    let services = manifest.services().map(service);
    let all = services.chain(manifest.providers.iter().map(provider));
    let text = format!("{{{}}}", all.collect::<Vec<_>>().join(", "));
    serde_json::from_str(&text).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_orders_and_the_time_default_to_25_orders_a_second() {
        let seconds = Duration::from_secs;
        assert_eq!(extent(None, None), (1_500, seconds(60)));
        assert_eq!(extent(Some(2_000), None), (2_000, seconds(80)));
        assert_eq!(extent(None, Some(10)), (250, seconds(10)));
        assert_eq!(extent(Some(20_000), Some(300)), (20_000, seconds(300)));
        assert_eq!(extent(Some(1), None), (1, seconds(1)));
    }
}
