//! `metrics.md`, from what `/metrics` says of itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use service::Description;

use crate::markdown::{code, filled, sentence, table};

const HEADS: [&str; 5] = ["name", "type", "unit", "labels", "meaning"];
/// All series have it.
const SERVICE: &str = "service";
/// The label of a histogram's buckets.
const BUCKET: &str = "le";

/// A metric as `OpenMetrics` describes it.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    unit: String,
    help: String,
    labels: BTreeSet<String>,
    services: BTreeSet<&'static str>,
}

/// The values that the code lists of labels.
type Values = BTreeMap<Label, BTreeSet<String>>;

/// A label of a metric, as they are in the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    name: String,
    metric: String,
}

pub(crate) fn page(services: &[Description]) -> Result<String> {
    let (mut metrics, mut values) = (BTreeMap::new(), Values::new());
    for service in services {
        read(service, &mut metrics, &mut values);
    }
    let (all, own): (Vec<_>, Vec<_>) =
        metrics.iter().partition(|(_, metric)| metric.services.len() == services.len());
    let mut of_services = String::new();
    for service in services {
        let mut rows = own.iter().filter(|(_, it)| it.services.contains(service.name)).peekable();
        if rows.peek().is_some() {
            let rows = rows.map(|(name, metric)| metric.row(name));
            of_services.push_str(&format!("## {}\n\n{}\n", service.name, table(&HEADS, rows)));
        }
    }
    let labels = values.iter().map(|(label, values)| {
        let values: Vec<String> = values.iter().map(|value| code(value)).collect();
        let metric = metrics.get(&label.metric).map(|metric| metric.shown(&label.metric));
        vec![code(&label.name), code(&metric.unwrap_or_default()), values.join(", ")]
    });
    let template = include_str!("../text/metrics.md");
    let names = metrics.iter().map(|(name, metric)| metric.shown(name)).collect();
    check_names(template, &names)?;
    Ok(filled(
        template,
        &[
            ("all", table(&HEADS, all.iter().map(|(name, metric)| metric.row(name)))),
            ("own", of_services),
            ("labels", table(&["label", "of", "values"], labels)),
        ],
    ))
}

/// What the template says names only metrics that there are.
fn check_names(template: &str, names: &BTreeSet<String>) -> Result<()> {
    let words = template.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("quintet_") && *word != "quintet_") {
        if !names.contains(word) {
            bail!(
                "deploy/reference/text/metrics.md names {word}, which no service has: correct it"
            );
        }
    }
    Ok(())
}

fn read(service: &Description, metrics: &mut BTreeMap<String, Metric>, values: &mut Values) {
    let mut current = String::new();
    for line in service.metrics.lines() {
        if let Some((what, name, text)) = described(line) {
            name.clone_into(&mut current);
            let metric = metrics.entry(name.to_owned()).or_default();
            metric.services.insert(service.name);
            match what {
                "HELP" => text.clone_into(&mut metric.help),
                "TYPE" => text.clone_into(&mut metric.kind),
                "UNIT" => text.clone_into(&mut metric.unit),
                _ => {}
            }
        } else if let Some(metric) = metrics.get_mut(&current) {
            for (label, value) in labels(line) {
                if label != SERVICE && label != BUCKET {
                    metric.labels.insert(label.to_owned());
                    let label = Label { name: label.to_owned(), metric: current.clone() };
                    let known = values.entry(label).or_default();
                    if !value.is_empty() && metric.kind != "info" {
                        known.insert(value.to_owned());
                    }
                }
            }
        }
    }
    // A number stands for whatever comes, such as a status.
    values.retain(|_, known| {
        !known.is_empty() && known.iter().all(|value| value.parse::<u64>().is_err())
    });
}

/// `# HELP name text`.
fn described(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.strip_prefix("# ")?.splitn(3, ' ');
    Some((words.next()?, words.next()?, words.next()?))
}

/// Names and values of a series' labels. No value has a comma or a quote: the code lists them.
fn labels(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let inner = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inner.map_or("", |(labels, _)| labels).split(',');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
}

impl Metric {
    /// The name that Prometheus stores.
    fn shown(&self, name: &str) -> String {
        match self.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        }
    }

    fn row(&self, name: &str) -> Vec<String> {
        let labels: Vec<String> = self.labels.iter().map(|label| code(label)).collect();
        vec![
            code(&self.shown(name)),
            self.kind.clone(),
            self.unit.clone(),
            labels.join(", "),
            sentence(self.help.trim_end_matches('.')),
        ]
    }
}
