//! How much requests that fail cost the orders beside them: `quintet bench --poisoned N`.
//!
//! For each way in which a provider can fail some requests and serve all others, good orders arrive at a steady
//! rate twice: alone, and while N poisoned orders have been failing for as long. Then the provider takes the poisoned
//! requests too, and the benchmark waits until every order has ended.

use super::load::{Arrived, Customers};
use super::spread::Spread;
use super::stage::{Override, Stage};
use super::{Bench, unless_ended};
use crate::cmd::audit;
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

/// Requests that a customer keeps in flight.
const AT_ONCE: usize = 32;
/// The pause between two looks at an order.
const POLL: Duration = Duration::from_millis(200);
/// How long a good order may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long poisoned orders may take once the provider is well, in longest pauses.
const PAUSES: u32 = 4;

/// What fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    provider: Provider,
    /// The sandbox's knob.
    poison: &'static str,
    keys: Keys,
}

/// What poisoned orders have in common, by which a service can tell them from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// The card, the destination or the mail domain.
    One,
    /// Nothing.
    Many,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Payment,
    Carrier,
    Mail,
}

const KINDS: [Kind; 11] = [
    Kind::of("charge refused as malformed", Provider::Payment, "refuse"),
    Kind::of("charge answered 503", Provider::Payment, "unavailable"),
    Kind::of("charge never answered", Provider::Payment, "hang"),
    Kind::of("many cards never answered", Provider::Payment, "hang").many(),
    Kind::of("booking refused as malformed", Provider::Carrier, "refuse"),
    Kind::of("booking answered 503", Provider::Carrier, "unavailable"),
    Kind::of("booking never answered", Provider::Carrier, "hang"),
    Kind::of("many places never answered", Provider::Carrier, "hang").many(),
    Kind::of("mail answered 450", Provider::Mail, "unavailable"),
    Kind::of("mail never answered", Provider::Mail, "hang"),
    Kind::of("many domains never answered", Provider::Mail, "hang").many(),
];

impl Kind {
    const fn of(name: &'static str, provider: Provider, poison: &'static str) -> Self {
        Self { name, provider, poison, keys: Keys::One }
    }

    const fn many(self) -> Self {
        Self { keys: Keys::Many, ..self }
    }
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    alone: Spread,
    beside: Spread,
    /// From the provider's recovery until the last poisoned order ended.
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

    /// When an order is done with this provider.
    fn done_at(self, order: &Order) -> Option<Timestamp> {
        match self {
            Self::Payment | Self::Carrier => order.ended_at(),
            Self::Mail => {
                let mails = order.timeline.iter().filter(|it| it.event.starts_with("Notification"));
                mails.map(|it| it.at).nth(1)
            }
        }
    }
}

impl Bench {
    /// Measures every kind, and prints the table.
    pub(super) async fn isolation(
        &self,
        poisoned: u64,
        session: &Session,
        ui: &Ui,
        ending: &mut Ending,
    ) -> Result<ExitCode> {
        let place = self.place(session)?;
        let pause = format!("{}ms", self.backoff_max.as_millis());
        let overrides = [Override { key: "effects.backoff_max".to_owned(), value: pause }];
        let stage = unless_ended(Stage::set(&place, &overrides), ending).await?;
        let title = stage.suite.stands_on();
        let arrivals = Arrivals::new(self.rate, Duration::from_secs(self.seconds.into()));
        let measured = async {
            let subject = Subject::of(&stage.suite, poisoned, arrivals, self.backoff_max).await?;
            subject.all(ui).await
        };
        let measured = unless_ended(measured, ending).await;
        stage.strike().await?;
        let measured = measured?;
        let sound = measured.verdict.holds();
        if sound {
            place.clear(ui).await?;
        }
        ui::result(&if session.json { measured.json() } else { measured.text(&title) });
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The suite that is measured.
struct Subject {
    suite: Suite,
    api: Api,
    customers: Customers,
    poisoned: u64,
    arrivals: Arrivals,
    longest_pause: Duration,
}

/// The table, and the audit after all of it.
struct Measured {
    rows: Vec<Row>,
    verdict: audit::Verdict,
}

impl Subject {
    async fn of(
        suite: &Suite,
        poisoned: u64,
        arrivals: Arrivals,
        longest_pause: Duration,
    ) -> Result<Self> {
        let (api, mix): (_, Mix) =
            (Api::new()?, "completed=1".parse().map_err(anyhow::Error::msg)?);
        let orders = (poisoned + 2 * arrivals.count()) * KINDS.len() as u64;
        let shop = Shop::open("bench", (suite, &api), &mix, orders).await?;
        let customers = Customers::of(suite, shop)?;
        Ok(Self { suite: suite.clone(), api, customers, poisoned, arrivals, longest_pause })
    }

    async fn all(self, ui: &Ui) -> Result<Measured> {
        let (mut rows, mut accepted) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let progress = ui.spinner(kind.name);
            rows.push(self.one(kind, &mut accepted).await.context(kind.name)?);
            drop(progress);
        }
        let verdict = audit::verdict(&self.suite, self.api, PATIENCE, Some(&accepted)).await?;
        Ok(Measured { rows, verdict })
    }

    async fn one(&self, kind: Kind, accepted: &mut Vec<OrderId>) -> Result<Row> {
        let alone = self.good(kind, accepted).await?;
        self.knobs(&json!({ kind.provider.name(): { "poison": kind.poison } })).await?;
        let poisoned = self.place_poisoned(kind).await?;
        accepted.extend(&poisoned);
        // As long as good orders arrive afterwards.
        sleep(self.arrivals.due(self.arrivals.count())).await;
        let beside = self.good(kind, accepted).await?;
        self.knobs(&json!({})).await?;
        let healed = Instant::now();
        let patience = self.longest_pause * PAUSES + PATIENCE;
        for id in &poisoned {
            self.done(kind, *id, patience).await?;
        }
        let ended_after_seconds = healed.elapsed().as_secs_f64();
        Ok(Row { kind: kind.name, alone, beside, ended_after_seconds })
    }

    /// Good orders at a steady rate; from when each was due until the provider had done its part.
    async fn good(&self, kind: Kind, accepted: &mut Vec<OrderId>) -> Result<Spread> {
        let arrived = self.customers.arrive(self.arrivals, 0).await?;
        accepted.extend(arrived.iter().map(|it| it.id));
        let took = arrived.iter().map(async |Arrived { id, due, .. }| {
            let done = self.done(kind, *id, PATIENCE).await?;
            let took: Duration = done.duration_since(*due).try_into().unwrap_or_default();
            anyhow::Ok(took)
        });
        let took = stream::iter(took).buffer_unordered(AT_ONCE).try_collect().await?;
        Spread::of(took).context("no order arrived: --rate and --seconds must be more than 0")
    }

    async fn place_poisoned(&self, kind: Kind) -> Result<Vec<OrderId>> {
        let placed = (0..self.poisoned).map(async |nth| {
            let mut wanted = self.customers.wanted(nth);
            let (token, postal_code, domain) = ("tok_poisoned", "66666", "poisoned.example");
            let of = |one: &str, nth_of_many: String| match kind.keys {
                Keys::One => one.to_owned(),
                Keys::Many => nth_of_many,
            };
            match kind.provider {
                Provider::Payment => wanted.token = of(token, format!("{token}_{nth}")),
                Provider::Carrier => {
                    wanted.postal_code = of(postal_code, format!("{postal_code}-{nth}"));
                }
                Provider::Mail => {
                    let domain = of(domain, format!("d{nth}.{domain}"));
                    wanted.email = format!("customer-{nth}@{domain}");
                }
            }
            self.customers.order_of(&wanted).await
        });
        stream::iter(placed).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn done(&self, kind: Kind, id: OrderId, patience: Duration) -> Result<Timestamp> {
        let give_up = Instant::now() + patience;
        loop {
            let order = self.customers.client().read(&id.to_string()).await?;
            if let Some(at) = kind.provider.done_at(&order) {
                return Ok(at);
            }
            if Instant::now() >= give_up {
                bail!("order {id} is still {} after {patience:?}", order.status);
            }
            sleep(POLL).await;
        }
    }

    async fn knobs(&self, plan: &Value) -> Result<()> {
        let url = format!("{}/faults", self.suite.url(names::sandbox()));
        let put =
            Request { method: Method::PUT, url: &url, body: Some(plan), idempotency_key: None };
        self.api.send::<Value>(&put, None).await?;
        Ok(())
    }
}

impl Measured {
    fn json(&self) -> String {
        json!({ "isolation": self.rows, "audit": audit::report::json(&self.verdict) }).to_string()
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
            let millis = |it: Duration| format!("{:.0} ms", it.as_secs_f64() * 1e3);
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
        lines.push(audit::report::text(&self.verdict, PATIENCE, audit::report::Notes::Counted));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::audit::Verdict;

    #[test]
    fn the_table_has_a_line_for_each_kind() {
        let spread = |millis: u64| {
            Spread::of(vec![Duration::from_millis(millis)]).expect("there is one duration")
        };
        let row = |kind: Kind| Row {
            kind: kind.name,
            alone: spread(20),
            beside: spread(30),
            ended_after_seconds: 12.34,
        };
        let report = ::audit::Report { invariants: Vec::new() };
        let measured = Measured { rows: KINDS.map(row).into(), verdict: Verdict::Judged(report) };
        let text = measured.text("on SQLite");
        let line = text.lines().find(|line| line.starts_with("mail never")).unwrap();
        let figures = ["20", "ms", "20", "ms", "30", "ms", "1.50", "12.3", "s"];
        assert_eq!(line.split_whitespace().skip(3).collect::<Vec<_>>(), figures);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
