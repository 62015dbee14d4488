//! Measures one suite: warms it up, loads it, waits until it is at rest, and reads what it used.

use super::counters::{Counts, OrderCounts};
use super::customers::Customers;
use super::disk;
use super::end_counter::EndCounter;
use super::figures::{Cost, Figures, Idle, Latency, Throughput};
use super::machine::{self, Cpu, Hints, Machine, used};
use super::spread::Spread;
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

/// How long the suite may take to come to rest after the last order has ended.
const REST_WITHIN: Duration = Duration::from_mins(5);
/// How many orders are read at a time.
const READERS: usize = 8;

/// The measurements that the user asked for. A number of 0 leaves a measurement out.
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

/// A suite that is being measured.
pub(super) struct MeasuredSuite<'a> {
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

/// A reading of all counters.
struct Reading {
    cpu: Cpu,
    counts: Counts,
    commits: Option<i64>,
}

impl Plan {
    fn arrivals(&self) -> Arrivals {
        Arrivals::new(self.per_second, Duration::from_secs(self.seconds.into()))
    }

    fn all_orders(&self) -> u64 {
        self.warm_up + self.orders + self.backlog + self.arrivals().count()
    }
}

impl<'a> MeasuredSuite<'a> {
    /// Lists and stocks the products that the orders will need.
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
        let shop = Shop::open("bench", &suite, &api, &plan.mix, plan.all_orders()).await?;
        drop(progress);
        let customers = Customers::of(&suite, shop)?;
        let at_rest = Rest::of(&suite, api.clone())?;
        let machine = Machine::of(&suite, &plan.hints).await;
        let (placed, accepted) = (0, Vec::new());
        Ok(Self { plan, suite, dir, api, ui, customers, at_rest, machine, placed, accepted })
    }

    /// Makes all measurements of the plan, and audits the suite afterwards.
    ///
    /// # Errors
    /// When the suite refuses an order, does not end one, or does not come to rest.
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
        let audit_result = audit::audit_suite(&self.suite, self.api, REST_WITHIN, accepted).await?;
        drop(progress);
        Ok(Figures {
            title,
            disk_before,
            disk_after,
            throughput,
            backlog,
            latency,
            idle,
            audit_result,
        })
    }

    async fn throughput(&mut self, phase: &str, orders: u64) -> Result<Throughput> {
        let before = self.read_counters().await?;
        let counter = EndCounter::begin(&self.suite, &self.api, &self.machine).await?;
        let begun = Instant::now();
        let bar = self.ui.bar(phase, orders);
        let place = async {
            let placed = self.customers.place(self.placed..self.placed + orders, self.plan.at_once);
            placed.await.map(|ids| (ids, begun.elapsed()))
        };
        let ((ids, accepted_in), samples) = tokio::try_join!(place, counter.until(orders, &bar))?;
        drop(bar);
        self.placed += orders;
        self.accepted.extend(ids);
        self.wait_for_rest().await?;
        let cost = self.cost_since(&before, orders).await?;
        let took = samples.took();
        Ok(Throughput { orders, took, accepted_in, cost, windows: samples.windows() })
    }

    async fn latency(&mut self, arrivals: Arrivals) -> Result<Latency> {
        let orders = arrivals.count();
        let before = self.read_counters().await?;
        let order_before = OrderCounts::of(&self.suite, &self.api).await?;
        let progress = self.ui.spinner(&format!("{} orders a second", self.plan.per_second));
        let arrived = self.customers.arrive(arrivals, self.placed).await?;
        drop(progress);
        self.placed += orders;
        self.accepted.extend(arrived.iter().map(|order| order.id));
        self.wait_for_rest().await?;
        let cost = self.cost_since(&before, orders).await?;
        let order_after = OrderCounts::of(&self.suite, &self.api).await?;
        let batch = order_after.mean_batch_since(&order_before);
        let reads = arrived.iter().map(async |arrived| {
            let id = arrived.id.to_string();
            let order = self.customers.client().read(&id).await?;
            let ended = order.ended_at().with_context(|| {
                format!("order {id} has not ended, although the suite is at rest")
            })?;
            let took = ended.duration_since(arrived.due).try_into().unwrap_or_default();
            anyhow::Ok((order.status, took))
        });
        let ends: Vec<(String, Duration)> =
            stream::iter(reads).buffer_unordered(READERS).try_collect().await?;
        let accepted = Spread::of(arrived.iter().map(|order| order.accepted).collect());
        let accepted = accepted.context("no order arrived")?;
        let (per_second, ended) = (self.plan.per_second, by_end(&ends));
        Ok(Latency { per_second, accepted, ended, batch, cost })
    }

    async fn idle(&self, lasting: Duration) -> Idle {
        let _progress = self.ui.spinner("measuring the idle suite");
        let (begun, before) = (Instant::now(), self.machine.cpu());
        sleep(lasting).await;
        let (took, cpu) = (begun.elapsed(), used(&before, &self.machine.cpu()));
        Idle { took, cpu, resident: self.machine.resident() }
    }

    pub(super) async fn wait_for_rest(&self) -> Result<()> {
        match self.at_rest.quiet(REST_WITHIN).await {
            Ok(()) => Ok(()),
            Err(waiting) => bail!("the suite does not come to rest: {}", waiting.join("; ")),
        }
    }

    async fn read_counters(&self) -> Result<Reading> {
        let counts = Counts::of(&self.suite, &self.api).await?;
        let commits = machine::committed(&self.suite).await;
        Ok(Reading { cpu: self.machine.cpu(), counts, commits })
    }

    async fn cost_since(&self, before: &Reading, orders: u64) -> Result<Cost> {
        // The CPU times are read first, because reading the other counters costs the services CPU.
        let cpu = used(&before.cpu, &self.machine.cpu());
        let after = self.read_counters().await?;
        let commits = after.commits.zip(before.commits).map(|(after, before)| after - before);
        Ok(Cost { orders, cpu, counts: after.counts - before.counts, commits })
    }
}

/// The times of all orders under `ended`, and those of the completed and the cancelled ones under their status.
fn by_end(ends: &[(String, Duration)]) -> BTreeMap<&'static str, Spread> {
    let spread_of = |name: &'static str| {
        let named = ends.iter().filter(|(status, _)| name == "ended" || status == name);
        Some((name, Spread::of(named.map(|(_, took)| *took).collect())?))
    };
    ["ended", "completed", "cancelled"].into_iter().filter_map(spread_of).collect()
}
