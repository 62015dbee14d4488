//! The metrics after some orders: their values, and that each is documented.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{NewOrder, Visitor, services};

const DOCUMENTATION: &str = include_str!("../../../../docs/reference/metrics.md");

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Files beside the documentation that name metrics.
const USERS: [(&str, &str); 2] = [
    ("alerts.yml", include_str!("../../../../deploy/prometheus/alerts.yml")),
    ("quintet.json", include_str!("../../../../deploy/grafana/dashboards/quintet.json")),
];

/// The metrics of all services.
#[derive(Debug, Default)]
struct Metrics {
    /// The metrics by name.
    described: BTreeMap<String, Description>,
    /// The values by name and labels as a line has them, such as `quintet_alarms_waiting{service="order"}`.
    values: BTreeMap<String, f64>,
}

/// The type and the labels of a metric. `service` and `le` are left out, because every service or histogram has them.
#[derive(Debug, Default, PartialEq)]
struct Description {
    kind: String,
    labels: BTreeSet<String>,
}

impl Metrics {
    async fn of(visitor: &Visitor) -> Self {
        let mut metrics = Self::default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        for service in services() {
            let url = visitor.suite().up_json_text(&format!("/{service}/url"));
            let request = http.get(format!("{url}/metrics")).header("accept", OPEN_METRICS);
            let answer = request.send().await.expect("an answer");
            let content_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
            assert!(content_type.starts_with(OPEN_METRICS), "{content_type}");
            metrics.read(&answer.text().await.expect("text"));
        }
        metrics
    }

    fn read(&mut self, text: &str) {
        assert!(text.ends_with("# EOF\n"));
        let mut kind = "";
        for line in text.lines() {
            if let Some(description) = line.strip_prefix("# TYPE ") {
                kind = description.split_once(' ').expect("a type").1;
            } else if !line.starts_with('#') {
                self.read_sample(line, kind);
            }
        }
    }

    fn read_sample(&mut self, line: &str, kind: &str) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').expect("labels");
        let suffixes = ["_bucket", "_count", "_sum"];
        let bare = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        let name = if kind == "histogram" { bare.expect("a suffix") } else { name };
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        let description = self
            .described
            .entry(name.to_owned())
            .or_insert_with(|| Description { kind: kind.to_owned(), labels: BTreeSet::new() });
        let labels = labels.filter(|label| !["service", "le"].contains(&label.as_str()));
        description.labels.extend(labels);
        self.values.insert(series.to_owned(), value.parse().expect("a number"));
    }

    /// Whether a service has series of this name. Those of a histogram have its name with a suffix.
    fn has(&self, name: &str) -> bool {
        let kind = |name: &str| self.described.get(name).map(|it| it.kind.as_str());
        let of_histogram = ["_bucket", "_count", "_sum"].iter().any(|suffix| {
            name.strip_suffix(suffix).is_some_and(|bare| kind(bare) == Some("histogram"))
        });
        of_histogram || kind(name).is_some_and(|kind| kind != "histogram")
    }

    /// The sum of the series of this name that have all these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let named = self.values.iter().filter(|(series, _)| {
            series.split_once('{').is_some_and(|(found, _)| found == name)
                && labels.iter().all(|label| series.contains(label))
        });
        named.map(|(_, value)| value).sum()
    }
}

/// The metrics in the documentation's table, by name.
fn documented() -> BTreeMap<String, Description> {
    let rows = DOCUMENTATION.lines().filter(|line| line.starts_with("| `quintet_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[4].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let description = Description { kind: cells[2].to_owned(), labels };
        (cells[1].trim_matches('`').to_owned(), description)
    };
    rows.map(row).collect()
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("quintet_")).collect()
}

pub(crate) async fn metrics_are_right_and_documented(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = || NewOrder::of(&sku);
    let orders = [
        (order(), "completed"),
        (order(), "completed"),
        (order().token("tok_declined"), "cancelled"),
        (order().token("tok_flaky").unreachable(), "cancelled"),
        (order().quantity(1_000), "cancelled"),
    ];
    for (order, end) in orders {
        let order = visitor.place(&order).await;
        visitor.until_ended(order, end).await;
    }
    visitor.assert_sound().await;
    let metrics = Metrics::of(&visitor).await;
    assert_eq!(metrics.described, documented());
    for (file, text) in USERS {
        let named = names(text);
        assert!(named.len() > 5, "{file}: {named:?}");
        let unknown: Vec<_> = named.into_iter().filter(|name| !metrics.has(name)).collect();
        assert!(unknown.is_empty(), "{file} names metrics that no service has: {unknown:?}");
    }
    assert_values(&metrics);
}

/// Asserts the values after the five orders of the scenario.
fn assert_values(metrics: &Metrics) {
    let ended = |reason: &str| {
        let reason = format!("reason=\"{reason}\"");
        metrics.sum("quintet_orders_ended_total", &[&reason])
    };
    let reasons = ["", "payment_declined", "shipment_failed", "out_of_stock"].map(ended);
    let attempts = |effect: &str, result: &str| {
        let labels = [&*format!("effect=\"{effect}\""), &*format!("result=\"{result}\"")];
        metrics.sum("quintet_effect_attempts_total", &labels)
    };
    let attempts = [
        attempts("charge", "answered"),
        attempts("charge", "no_answer"),
        attempts("refund", "answered"),
        attempts("book", "answered"),
        attempts("mail", "answered"),
    ];
    let sum = |name, labels: &[&str]| metrics.sum(name, labels);
    assert_whole(&reasons, &[2, 1, 1, 1]);
    assert_whole(&attempts, &[4, 2, 1, 3, 10]);
    assert_whole(
        &[
            sum("quintet_orders_placed_total", &[]),
            sum("quintet_order_seconds_count", &["outcome=\"completed\""]),
            sum("quintet_http_requests_total", &["route=\"/orders\"", "status=\"202\""]),
            sum("quintet_outbox_events", &[]),
            sum("quintet_effects_waiting", &[]),
            sum("quintet_alarms_waiting", &[]),
            sum("quintet_orders_needing_attention", &[]),
            sum("quintet_consumer_lag_records", &[]),
            sum("quintet_batch_seconds_count", &[]) - sum("quintet_batches_total", &[]),
            sum("quintet_batch_inputs_sum", &[]) - sum("quintet_inputs_total", &[]),
        ],
        &[5, 2, 5, 0, 0, 0, 0, 0, 0, 0],
    );
}

/// Compares counts, which are whole numbers although the metrics have them as floating-point numbers.
fn assert_whole(counts: &[f64], expected: &[i32]) {
    let expected: Vec<f64> = expected.iter().copied().map(f64::from).collect();
    let same = counts.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 0.5);
    assert!(same && counts.len() == expected.len(), "{counts:?} is not {expected:?}");
}
