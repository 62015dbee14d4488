//! `quintet chaos`: customers order while things are killed, hang, are restarted and misbehave, by a plan
//! that follows from a seed. In the end all is healed and audited, against the customers' own list of what
//! they were promised. Exit code 0 when everything is as promised, 1 when it is not, 2 when the suite did
//! not come to rest.

mod act;
mod commands;
mod customers;
mod hands;
mod plan;
mod report;
mod troubles;

use crate::cmd::audit;
use crate::orders::Client;
use crate::shop::{Mix, Shop};
use act::Kind;
use anyhow::{Result, bail};
use clap::Args;
use clock::{Random, SystemRandom};
use commands::Commands;
use customers::{Customers, Promises};
use futures::future::join;
use hands::Hands;
use plan::{Cast, Plan, Strike};
#[cfg(test)]
use quintet_suite::Component;
use quintet_suite::Ending;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::duration;
use quintet_suite::http::Api;
use quintet_suite::ui::{self, Progress, Ui};
use report::{Aftermath, Done, Story};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Orders a second, unless told otherwise.
const RATE: u64 = 25;
const DEFAULT_SECONDS: u64 = 60;
/// How long a customer asks again: longer than anything is broken.
const PATIENCE: Duration = Duration::from_mins(5);
/// The pause between two looks at how far the customers are.
const POLL: Duration = Duration::from_millis(100);
/// Seeds that are easily typed.
const SEEDS: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// For how long [default: as long as the orders take at 25 a second, or 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// What the plan is drawn from: the same seed strikes the same things at the same times [default: any]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many orders are placed, evenly over the time [default: 25 a second]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    orders: Option<u64>,
    /// What becomes of the orders, in which shares
    #[arg(
        long,
        value_name = "MIX",
        default_value = "completed=65,declined=10,refused=10,out-of-stock=5,lost-answer=5,flaky=5"
    )]
    mix: Mix,
    /// How many of a hundred customers want to cancel soon after
    #[arg(long, value_name = "PERCENT", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(0..=100))]
    cancelling: u64,
    /// How long to wait in the end until nothing happens any more
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    wait: Duration,
    #[command(flatten)]
    commands: Commands,
}

/// A run under way.
struct Run {
    hands: Arc<Hands>,
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
        let Some((done, aftermath, promises)) = played else {
            run.hands.heal().await?;
            bail!("interrupted; everything runs again");
        };
        let lasted = begun.elapsed();
        let verdict = audit::verdict(&suite, api, self.wait, Some(&promises.accepted)).await?;
        let forgotten = run.customers.forgotten(&promises).await?;
        let waited = self.wait;
        let story = Story { seed, lasted, done, aftermath, promises, forgotten, verdict, waited };
        let told =
            if session.json { report::json(&story).to_string() } else { report::text(&story) };
        ui::result(&told);
        Ok(story.exit_code())
    }

    async fn prepare(&self, session: &Session, suite: &Suite, api: &Api, seed: u64) -> Result<Run> {
        let ui = Ui::default();
        let (orders, lasting) = extent(self.orders, self.seconds);
        let place = (session.dir()?, suite.clone());
        let hands = Hands::new(place, api.clone(), self.commands.clone(), seed);
        let cast = Cast::of(hands.suite(), hands.reach());
        say_what_is_out_of_reach(suite, &cast, &ui);
        let progress = ui.spinner("stocking the shelves");
        let shop = Shop::open("chaos", (suite, api), &self.mix, orders).await?;
        drop(progress);
        let client = Client::patient(suite, api.clone(), PATIENCE);
        let customers = Customers::new(client, shop, orders, (seed, self.cancelling));
        let strikes = Plan::new(seed, cast).take_while(|strike| strike.at < lasting).collect();
        ui.line(&format!("chaos by seed {seed}: --seed {seed} strikes the same things again"));
        Ok(Run { hands: Arc::new(hands), customers, strikes, lasting, orders, ui })
    }
}

/// How many orders, over how long.
fn extent(orders: Option<u64>, seconds: Option<u64>) -> (u64, Duration) {
    let seconds = seconds.or_else(|| orders.map(|orders| orders.div_ceil(RATE)));
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    (orders.unwrap_or(seconds * RATE), Duration::from_secs(seconds))
}

fn say_what_is_out_of_reach(suite: &Suite, cast: &Cast, ui: &Ui) {
    let on_kafka = suite.bus.kind == "kafka" || suite.control.is_none();
    let on_postgres = suite.stands_on().ends_with("PostgreSQL");
    let all = [
        (Kind::Kill, true, "nothing is killed: say how by --kill-with and --start-with"),
        (Kind::Kafka, on_kafka, "Kafka is left alone: say how by --restart-kafka"),
        (Kind::Postgres, on_postgres, "PostgreSQL is left alone: say how by --restart-postgres"),
    ];
    for (kind, there, hint) in all {
        if there && !cast.reach.contains(&kind) {
            ui.warn(hint);
        }
    }
}

impl Run {
    /// Strikes while customers come, heals, and waits until all of them were answered.
    ///
    /// # Errors
    /// When order's answers are none.
    async fn play(&self) -> Result<(Vec<Done>, Aftermath, Promises)> {
        let bar = self.ui.bar("chaos", self.orders);
        let striking = async {
            let done = self.strike(&bar).await;
            let left_down = self.hands.left_down().await;
            bar.now("healing");
            let unhealed =
                self.hands.heal().await.err().map(|error| quintet_suite::explain(&error));
            bar.now("the last customers");
            (done, Aftermath { left_down, unhealed })
        };
        let coming = self.customers.come(self.lasting);
        let watching = async {
            loop {
                bar.at(self.customers.accepted());
                sleep(POLL).await;
            }
        };
        tokio::select! {
            ((done, aftermath), promises) = join(striking, coming) => {
                Ok((done, aftermath, promises?))
            }
            watched = watching => watched,
        }
    }

    /// Each strike begins when it is due, whatever became of those before.
    async fn strike(&self, bar: &Progress) -> Vec<Done> {
        let (begun, mut striking) = (Instant::now(), JoinSet::new());
        for (nth, strike) in self.strikes.iter().enumerate() {
            sleep_until(begun + strike.at).await;
            let what = format!("{:>6.1} s  {}", strike.at.as_secs_f64(), strike.act);
            self.ui.line(&what);
            bar.now(&strike.act.to_string());
            let (hands, strike) = (Arc::clone(&self.hands), strike.clone());
            striking.spawn(async move {
                let met = hands.carry_out(nth, &strike.act).await;
                (nth, Done { strike, met: met.map_err(|error| quintet_suite::explain(&error)) })
            });
        }
        let mut done = striking.join_all().await;
        done.sort_by_key(|(nth, _)| *nth);
        done.into_iter().map(|(_, done)| done).collect()
    }
}

/// The order saga's suite with so many replicas, as `up.json` would describe it.
#[cfg(test)]
pub(crate) fn suite_of_test(replicas: usize) -> Suite {
    let text = testkit::only_services(include_str!("../../../../suite.toml"), &::audit::SERVICES);
    let manifest = quintet_suite::Manifest::built_in(&text).unwrap();
    let ports = quintet_suite::Ports::of(Box::leak(Box::new(manifest.clone())), None).unwrap();
    let service = |name: Component| {
        let urls = name.members(replicas).map(|it| {
            let (url, admin) = (ports.public(it), ports.admin(it));
            serde_json::json!({"url": format!("http://{url}"), "admin_url": format!("http://{admin}")})
        });
        let urls: Vec<serde_json::Value> = urls.collect();
        let mut service = urls[0].clone();
        service["replicas"] = urls.into();
        format!("{:?}: {service}", name.name())
    };
    let provider = |it: &quintet_suite::manifest::Provider| {
        let url = format!("http://{}", ports.public(it.name));
        format!("{:?}: {}", it.name.name(), serde_json::json!({ "url": url }))
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
    fn orders_and_seconds_follow_from_each_other() {
        let seconds = Duration::from_secs;
        assert_eq!(extent(None, None), (1_500, seconds(60)));
        assert_eq!(extent(Some(2_000), None), (2_000, seconds(80)));
        assert_eq!(extent(None, Some(10)), (250, seconds(10)));
        assert_eq!(extent(Some(20_000), Some(300)), (20_000, seconds(300)));
        assert_eq!(extent(Some(1), None), (1, seconds(1)));
    }
}
