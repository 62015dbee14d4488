//! Measures how much failing requests slow down other orders: `quintet bench --poisoned N`.
//!
//! A provider can fail some requests and serve all others. For each way in which it can do that:
//! 1. Good orders arrive at a steady rate, with no failing request beside them.
//! 2. N poisoned orders are placed, and their requests fail for as long as good orders arrived in step 1.
//! 3. Good orders arrive at the same rate again, while the poisoned requests still fail.
//! 4. The provider serves the poisoned requests too, and the benchmark waits until every order has ended.

use super::customers::{Arrived, Customers};
use super::own_suite::{Override, OwnSuite};
use super::spread::Spread;
use super::{Bench, unless_interrupted};
use crate::cmd::audit::{self, AuditResult};
use crate::names;
use crate::orders::Order;
use crate::shop::{Arrivals, Mix, Shop};
use anyhow::{Context, Result, bail};
use contracts::OrderId;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use quintet_suite::Ending;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::http::{Api, Request};
use quintet_suite::ui::{self, Ui};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many requests to the order service are in flight at a time.
const AT_ONCE: usize = 32;
/// The pause between two reads of an order.
const POLL: Duration = Duration::from_millis(200);
/// How long a good order may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a poisoned order may take once the provider serves it, as a multiple of the longest pause between attempts.
const PAUSES: u32 = 4;

/// One way in which a provider fails some requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailureCase {
    name: &'static str,
    provider: Provider,
    /// The value of the sandbox's knob `poison`.
    poison: &'static str,
    keys: Keys,
}

/// Whether a service can recognise the poisoned requests by a common card, destination or mail domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// All poisoned orders share one.
    Shared,
    /// Each poisoned order has its own.
    Distinct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Payment,
    Carrier,
    Mail,
}

const CASES: [FailureCase; 11] = [
    FailureCase::of("charge refused as malformed", Provider::Payment, "refuse"),
    FailureCase::of("charge answered 503", Provider::Payment, "unavailable"),
    FailureCase::of("charge never answered", Provider::Payment, "hang"),
    FailureCase::of("many cards never answered", Provider::Payment, "hang").with_distinct_keys(),
    FailureCase::of("booking refused as malformed", Provider::Carrier, "refuse"),
    FailureCase::of("booking answered 503", Provider::Carrier, "unavailable"),
    FailureCase::of("booking never answered", Provider::Carrier, "hang"),
    FailureCase::of("many places never answered", Provider::Carrier, "hang").with_distinct_keys(),
    FailureCase::of("mail answered 450", Provider::Mail, "unavailable"),
    FailureCase::of("mail never answered", Provider::Mail, "hang"),
    FailureCase::of("many domains never answered", Provider::Mail, "hang").with_distinct_keys(),
];

impl FailureCase {
    const fn of(name: &'static str, provider: Provider, poison: &'static str) -> Self {
        Self { name, provider, poison, keys: Keys::Shared }
    }

    const fn with_distinct_keys(self) -> Self {
        Self { keys: Keys::Distinct, ..self }
    }
}

/// One line of the table: the latencies of the good orders without and with poisoned orders beside them.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    alone: Spread,
    beside: Spread,
    /// The time from the provider's recovery to the end of the last poisoned order.
    ended_after_seconds: f64,
}

impl Provider {
    const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Carrier => "carrier",
            Self::Mail => "mail",
        }
    }

    /// When this provider had done its part for an order. Mail has once the second of the order's two mails is sent.
    fn done_at(self, order: &Order) -> Option<Timestamp> {
        match self {
            Self::Payment | Self::Carrier => order.ended_at(),
            Self::Mail => {
                let entries = order.timeline.iter();
                let mails = entries.filter(|entry| entry.event.starts_with("Notification"));
                mails.map(|entry| entry.at).nth(1)
            }
        }
    }
}

impl Bench {
    /// Measures every failure case, and prints the table.
    pub(super) async fn isolation(
        &self,
        poisoned: u64,
        session: &Session,
        ui: &Ui,
        ending: &mut Ending,
    ) -> Result<ExitCode> {
        let setup = self.setup(session)?;
        let pause = format!("{}ms", self.backoff_max.as_millis());
        let overrides = [Override { key: "effects.backoff_max".to_owned(), value: pause }];
        let own_suite = unless_interrupted(OwnSuite::start(&setup, &overrides), ending).await?;
        let title = own_suite.suite.stands_on();
        let arrivals = Arrivals::new(self.rate, Duration::from_secs(self.seconds.into()));
        let measuring = async {
            let run =
                IsolationRun::of(&own_suite.suite, poisoned, arrivals, self.backoff_max).await?;
            run.measure(ui).await
        };
        let measured = unless_interrupted(measuring, ending).await;
        own_suite.stop().await?;
        let table = measured?;
        let sound = table.audit_result.holds();
        if sound {
            setup.clear(ui).await?;
        }
        ui::result(&if session.json { table.json() } else { table.text(&title) });
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The measurement of all failure cases on one suite.
struct IsolationRun {
    suite: Suite,
    api: Api,
    customers: Customers,
    poisoned: u64,
    arrivals: Arrivals,
    longest_pause: Duration,
}

/// The table, and the result of the audit after the last measurement.
struct Table {
    rows: Vec<Row>,
    audit_result: AuditResult,
}

impl IsolationRun {
    async fn of(
        suite: &Suite,
        poisoned: u64,
        arrivals: Arrivals,
        longest_pause: Duration,
    ) -> Result<Self> {
        let (api, mix): (_, Mix) =
            (Api::new()?, "completed=1".parse().map_err(anyhow::Error::msg)?);
        let orders = (poisoned + 2 * arrivals.count()) * CASES.len() as u64;
        let shop = Shop::open("bench", suite, &api, &mix, orders).await?;
        let customers = Customers::of(suite, shop)?;
        Ok(Self { suite: suite.clone(), api, customers, poisoned, arrivals, longest_pause })
    }

    async fn measure(self, ui: &Ui) -> Result<Table> {
        let (mut rows, mut accepted) = (Vec::new(), Vec::new());
        for case in CASES {
            let progress = ui.spinner(case.name);
            rows.push(self.measure_case(case, &mut accepted).await.context(case.name)?);
            drop(progress);
        }
        let audit_result =
            audit::audit_suite(&self.suite, self.api, PATIENCE, Some(&accepted)).await?;
        Ok(Table { rows, audit_result })
    }

    async fn measure_case(&self, case: FailureCase, accepted: &mut Vec<OrderId>) -> Result<Row> {
        let undisturbed = self.measure_good_orders(case, accepted).await?;
        self.put_faults(&json!({ case.provider.name(): { "poison": case.poison } })).await?;
        let poisoned = self.place_poisoned(case).await?;
        accepted.extend(&poisoned);
        // Good orders take this long to arrive, so the poisoned ones fail for as long before them as beside them.
        sleep(self.arrivals.due(self.arrivals.count())).await;
        let beside = self.measure_good_orders(case, accepted).await?;
        self.put_faults(&json!({})).await?;
        let recovered = Instant::now();
        let patience = self.longest_pause * PAUSES + PATIENCE;
        for id in &poisoned {
            self.wait_for_provider(case.provider, *id, patience).await?;
        }
        let ended_after_seconds = recovered.elapsed().as_secs_f64();
        Ok(Row { kind: case.name, alone: undisturbed, beside, ended_after_seconds })
    }

    /// Places good orders at a steady rate, and measures from each order's due time until the provider had done its part.
    async fn measure_good_orders(
        &self,
        case: FailureCase,
        accepted: &mut Vec<OrderId>,
    ) -> Result<Spread> {
        let arrived = self.customers.arrive(self.arrivals, 0).await?;
        accepted.extend(arrived.iter().map(|order| order.id));
        let latencies = arrived.iter().map(async |Arrived { id, due, .. }| {
            let done = self.wait_for_provider(case.provider, *id, PATIENCE).await?;
            let latency: Duration = done.duration_since(*due).try_into().unwrap_or_default();
            anyhow::Ok(latency)
        });
        let latencies = stream::iter(latencies).buffer_unordered(AT_ONCE).try_collect().await?;
        Spread::of(latencies).context("no order arrived: --rate and --seconds must be more than 0")
    }

    async fn place_poisoned(&self, case: FailureCase) -> Result<Vec<OrderId>> {
        let placed = (0..self.poisoned).map(async |nth| {
            let mut wanted = self.customers.wanted(nth);
            let (token, postal_code, domain) = ("tok_poisoned", "66666", "poisoned.example");
            let key = |shared: &str, distinct: String| match case.keys {
                Keys::Shared => shared.to_owned(),
                Keys::Distinct => distinct,
            };
            match case.provider {
                Provider::Payment => wanted.token = key(token, format!("{token}_{nth}")),
                Provider::Carrier => {
                    wanted.postal_code = key(postal_code, format!("{postal_code}-{nth}"));
                }
                Provider::Mail => {
                    let domain = key(domain, format!("d{nth}.{domain}"));
                    wanted.email = format!("customer-{nth}@{domain}");
                }
            }
            self.customers.place_one(&wanted).await
        });
        stream::iter(placed).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until the provider has done its part for an order, and returns when that was.
    async fn wait_for_provider(
        &self,
        provider: Provider,
        id: OrderId,
        patience: Duration,
    ) -> Result<Timestamp> {
        let give_up = Instant::now() + patience;
        loop {
            let order = self.customers.client().read(&id.to_string()).await?;
            if let Some(at) = provider.done_at(&order) {
                return Ok(at);
            }
            if Instant::now() >= give_up {
                bail!("order {id} is still {} after {patience:?}", order.status);
            }
            sleep(POLL).await;
        }
    }

    /// Replaces the faults that the sandbox injects.
    async fn put_faults(&self, faults: &Value) -> Result<()> {
        let url = format!("{}/faults", self.suite.url(names::sandbox()));
        let put =
            Request { method: Method::PUT, url: &url, body: Some(faults), idempotency_key: None };
        self.api.send::<Value>(&put, None).await?;
        Ok(())
    }
}

impl Table {
    fn json(&self) -> String {
        let audit_result = audit::report::json(&self.audit_result);
        json!({ "isolation": self.rows, "audit": audit_result }).to_string()
    }

    fn text(&self, title: &str) -> String {
        let mut lines = vec![
            title.to_owned(),
            String::new(),
            format!(
                "{:<30}{:>10}{:>10}{:>12}{:>8}{:>14}",
                "poisoned requests", "p50 alone", "p99 alone", "p99 beside", "ratio", "ended after"
            ),
        ];
        for row in &self.rows {
            let millis = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
            lines.push(format!(
                "{:<30}{:>10}{:>10}{:>12}{:>8.2}{:>12.1} s",
                row.kind,
                millis(row.alone.p50),
                millis(row.alone.p99),
                millis(row.beside.p99),
                row.beside.p99.as_secs_f64() / row.alone.p99.as_secs_f64().max(1e-9),
                row.ended_after_seconds,
            ));
        }
        lines.push(String::new());
        let notes = audit::report::Notes::Counted;
        lines.push(audit::report::text(&self.audit_result, PATIENCE, notes));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_failure_case() {
        let spread = |millis: u64| {
            Spread::of(vec![Duration::from_millis(millis)]).expect("there is one duration")
        };
        let row = |case: FailureCase| Row {
            kind: case.name,
            alone: spread(20),
            beside: spread(30),
            ended_after_seconds: 12.34,
        };
        let report = ::audit::Report { invariants: Vec::new() };
        let table =
            Table { rows: CASES.map(row).into(), audit_result: AuditResult::AtRest(report) };
        let text = table.text("on SQLite");
        let line = text.lines().find(|line| line.starts_with("mail never")).unwrap();
        let figures = ["20", "ms", "20", "ms", "30", "ms", "1.50", "12.3", "s"];
        assert_eq!(line.split_whitespace().skip(3).collect::<Vec<_>>(), figures);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
