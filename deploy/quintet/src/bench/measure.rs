//! One suite, measured: warm it up, load it, let it come to rest, and look at what it used.

use super::counters::{Counts, Orders};
use super::disk;
use super::figures::{Cost, Figures, Idle, Latency, Throughput};
use super::load::Customers;
use super::machine::{self, Cpu, Hints, Machine, used};
use super::spread::Spread;
use super::watch::Watch;
use crate::cmd::audit;
use crate::shop::{Arrivals, Mix, Shop};
use anyhow::{Context, Result, bail};
use contracts::OrderId;
use futures::{StreamExt, TryStreamExt, stream};
use quintet_suite::DataDir;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use quintet_suite::rest::Rest;
use quintet_suite::ui::Ui;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long everything may take to come to rest after the last order has ended.
const REST_WITHIN: Duration = Duration::from_mins(5);
/// Reading orders that have ended.
const READERS: usize = 8;

/// What to measure.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) warm_up: u64,
    pub(super) orders: u64,
    pub(super) at_once: usize,
    pub(super) backlog: u64,
    pub(super) per_second: u32,
    pub(super) seconds: u32,
    pub(super) idle: Duration,
    pub(super) mix: Mix,
    pub(super) hints: Hints,
}

/// A suite under measurement.
pub(super) struct Subject<'a> {
    pub(super) plan: &'a Plan,
    pub(super) suite: Suite,
    pub(super) dir: &'a DataDir,
    pub(super) api: Api,
    pub(super) ui: &'a Ui,
    pub(super) customers: Customers,
    pub(super) at_rest: Rest,
    pub(super) machine: Machine,
    /// Orders placed so far.
    pub(super) placed: u64,
    pub(super) accepted: Vec<OrderId>,
}

/// Everything that was used up to a moment.
struct Used {
    cpu: Cpu,
    counts: Counts,
    commits: Option<i64>,
}

impl Plan {
    fn arrivals(&self) -> Arrivals {
        Arrivals::new(self.per_second, Duration::from_secs(self.seconds.into()))
    }

    fn all(&self) -> u64 {
        self.warm_up + self.orders + self.backlog + self.arrivals().count()
    }
}

impl<'a> Subject<'a> {
    /// Fills the shop.
    ///
    /// # Errors
    /// When the suite does not answer.
    pub(super) async fn new(
        plan: &'a Plan,
        suite: Suite,
        dir: &'a DataDir,
        ui: &'a Ui,
    ) -> Result<Self> {
        let api = Api::new()?;
        let progress = ui.spinner("stocking the shelves");
        let shop = Shop::open("bench", (&suite, &api), &plan.mix, plan.all()).await?;
        drop(progress);
        let customers = Customers::of(&suite, shop)?;
        let at_rest = Rest::of(&suite, api.clone())?;
        let machine = Machine::of(&suite, &plan.hints).await;
        let (placed, accepted) = (0, Vec::new());
        Ok(Self { plan, suite, dir, api, ui, customers, at_rest, machine, placed, accepted })
    }

    /// Measures all that the plan asks for.
    ///
    /// # Errors
    /// When the suite refuses orders, does not end them, or does not come to rest.
    pub(super) async fn measure(mut self, title: String) -> Result<Figures> {
        let plan = self.plan;
        let disk_before = disk::probe(self.dir.path()).await?;
        if plan.warm_up > 0 {
            self.throughput("warming up", plan.warm_up).await?;
        }
        let throughput = match plan.orders {
            0 => None,
            orders => Some(self.throughput("orders as fast as they go", orders).await?),
        };
        let backlog = match plan.backlog {
            0 => None,
            orders => Some(self.backlog(orders).await?),
        };
        let latency = match plan.arrivals() {
            arrivals if arrivals.count() > 0 => Some(self.latency(arrivals).await?),
            _ => None,
        };
        let idle = if plan.idle.is_zero() { None } else { Some(self.idle(plan.idle).await) };
        let disk_after = disk::probe(self.dir.path()).await?;
        let progress = self.ui.spinner("auditing");
        let accepted = Some(&self.accepted[..]);
        let verdict = audit::verdict(&self.suite, self.api, REST_WITHIN, accepted).await?;
        drop(progress);
        Ok(Figures { title, disk_before, disk_after, throughput, backlog, latency, idle, verdict })
    }

    async fn throughput(&mut self, what: &str, orders: u64) -> Result<Throughput> {
        let before = self.used().await?;
        let watch = Watch::begin(&self.suite, &self.api, &self.machine).await?;
        let begun = Instant::now();
        let bar = self.ui.bar(what, orders);
        let place = async {
            let placed = self.customers.place(self.placed..self.placed + orders, self.plan.at_once);
            placed.await.map(|ids| (ids, begun.elapsed()))
        };
        let ((ids, accepted_in), samples) = tokio::try_join!(place, watch.until(orders, &bar))?;
        drop(bar);
        self.placed += orders;
        self.accepted.extend(ids);
        self.rest().await?;
        let cost = self.cost(before, orders).await?;
        let took = samples.took();
        Ok(Throughput { orders, took, accepted_in, cost, windows: samples.windows() })
    }

    async fn latency(&mut self, arrivals: Arrivals) -> Result<Latency> {
        let orders = arrivals.count();
        let (before, first) = (self.used().await?, Orders::of(&self.suite, &self.api).await?);
        let progress = self.ui.spinner(&format!("{} orders a second", self.plan.per_second));
        let arrived = self.customers.arrive(arrivals, self.placed).await?;
        drop(progress);
        self.placed += orders;
        self.accepted.extend(arrived.iter().map(|it| it.id));
        self.rest().await?;
        let cost = self.cost(before, orders).await?;
        let turn = Orders::of(&self.suite, &self.api).await?.turn_since(&first);
        let reads = arrived.iter().map(async |it| {
            let order = self.customers.client().read(&it.id.to_string()).await?;
            let ended = order.ended_at().with_context(|| format!("order {} has no end", it.id))?;
            let took = ended.duration_since(it.due).try_into().unwrap_or_default();
            anyhow::Ok((order.status, took))
        });
        let ends: Vec<(String, Duration)> =
            stream::iter(reads).buffer_unordered(READERS).try_collect().await?;
        let accepted = Spread::of(arrived.iter().map(|it| it.accepted).collect());
        let accepted = accepted.context("no order arrived")?;
        Ok(Latency { per_second: self.plan.per_second, accepted, ended: by_end(&ends), turn, cost })
    }

    async fn idle(&self, lasting: Duration) -> Idle {
        let _progress = self.ui.spinner("looking at it idle");
        let (begun, before) = (Instant::now(), self.machine.cpu());
        sleep(lasting).await;
        let (took, cpu) = (begun.elapsed(), used(&before, &self.machine.cpu()));
        Idle { took, cpu, resident: self.machine.resident() }
    }

    pub(super) async fn rest(&self) -> Result<()> {
        match self.at_rest.quiet(REST_WITHIN).await {
            Ok(()) => Ok(()),
            Err(waiting) => bail!("the suite does not come to rest: {}", waiting.join("; ")),
        }
    }

    async fn used(&self) -> Result<Used> {
        let counts = Counts::of(&self.suite, &self.api).await?;
        let commits = machine::committed(&self.suite).await;
        Ok(Used { cpu: self.machine.cpu(), counts, commits })
    }

    async fn cost(&self, before: Used, orders: u64) -> Result<Cost> {
        // First, because asking the others costs something too.
        let cpu = used(&before.cpu, &self.machine.cpu());
        let after = self.used().await?;
        let commits = after.commits.zip(before.commits).map(|(after, before)| after - before);
        Ok(Cost { orders, cpu, counts: after.counts - before.counts, commits })
    }
}

/// All of them, and those that ended in one way.
fn by_end(ends: &[(String, Duration)]) -> BTreeMap<&'static str, Spread> {
    let of = |name: &'static str| {
        let named = ends.iter().filter(|(status, _)| name == "ended" || status == name);
        Some((name, Spread::of(named.map(|(_, took)| *took).collect())?))
    };
    ["ended", "completed", "cancelled"].into_iter().filter_map(of).collect()
}
