//! Counters of the services, read from their `/metrics`.

use crate::names;
use anyhow::{Context, Result};
use quintet_suite::Component;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use std::collections::BTreeMap;
use std::ops::Sub;
use std::time::Duration;

/// Sums over all services, each counted since its process started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Batches that the engines committed.
    pub(super) batches: f64,
    /// Events that were added to an outbox.
    pub(super) emitted: f64,
    /// Events that were received, repeats included.
    pub(super) received: f64,
    /// Inputs that the inbox dropped, because they had been applied before.
    pub(super) duplicates: f64,
}

/// Counters of the order service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OrderCounts {
    /// Orders that have ended.
    pub(super) ended: u64,
    batches: f64,
    /// The sum of the times from the begin of a batch to its commit.
    batch_seconds: f64,
}

/// The values of the series, by name and labels as `/metrics` writes them.
#[derive(Debug)]
struct Metrics(BTreeMap<String, f64>);

impl Counts {
    /// # Errors
    /// When a service does not answer.
    pub(super) async fn of(suite: &Suite, api: &Api) -> Result<Self> {
        let mut counts = Self::default();
        for service in suite.services.keys().copied() {
            let metrics = Metrics::of(suite, service, api).await?;
            counts.batches += metrics.sum("quintet_batches_total", "");
            counts.emitted += metrics.sum("quintet_events_emitted_total", "");
            counts.received += metrics.sum("quintet_inputs_total", "kind=\"event\"");
            counts.duplicates += metrics.sum("quintet_duplicates_total", "");
        }
        Ok(counts)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            batches: self.batches - before.batches,
            emitted: self.emitted - before.emitted,
            received: self.received - before.received,
            duplicates: self.duplicates - before.duplicates,
        }
    }
}

impl OrderCounts {
    /// # Errors
    /// When the order service does not answer.
    pub(super) async fn of(suite: &Suite, api: &Api) -> Result<Self> {
        let metrics = Metrics::of(suite, names::order(), api).await?;
        Ok(Self {
            ended: whole(metrics.sum("quintet_orders_ended_total", "")),
            batches: metrics.sum("quintet_batch_seconds_count", ""),
            batch_seconds: metrics.sum("quintet_batch_seconds_sum", ""),
        })
    }

    /// The average time from a batch's begin to its commit, of the batches since `before`; `None` if there was none.
    pub(super) fn mean_batch_since(&self, before: &Self) -> Option<Duration> {
        let batches = self.batches - before.batches;
        let seconds = self.batch_seconds - before.batch_seconds;
        Duration::try_from_secs_f64(seconds / batches).ok()
    }
}

impl Metrics {
    /// Sums the series of all replicas of a service.
    async fn of(suite: &Suite, service: Component, api: &Api) -> Result<Self> {
        let mut sums = Self(BTreeMap::new());
        let replicas = suite.services.get(&service).map(|service| &service.replicas[..]);
        for replica in replicas.unwrap_or_default() {
            let text = api.text(&format!("{}/metrics", replica.url)).await;
            sums.add(&text.with_context(|| {
                format!("cannot read the metrics of {service}: a measurement needs every replica")
            })?);
        }
        Ok(sums)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((series, value)) = line.rsplit_once(' ')
                && let Ok(value) = value.parse::<f64>()
            {
                *self.0.entry(series.to_owned()).or_default() += value;
            }
        }
    }

    /// The sum of all series of this name whose labels contain `label`.
    fn sum(&self, name: &str, label: &str) -> f64 {
        let named = self.0.iter().filter(|(series, _)| {
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.contains(label)
        });
        named.map(|(_, value)| value).sum()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter is a whole number from 0, far below 2^53"
)]
fn whole(counter: f64) -> u64 {
    counter.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_name_and_label_over_replicas() {
        let text = "# TYPE quintet_inputs counter\n\
                    quintet_inputs_total{service=\"order\",kind=\"event\"} 3\n\
                    quintet_inputs_total{service=\"order\",kind=\"command\"} 2\n\
                    quintet_inputs_total_more{service=\"order\"} 100\n# EOF\n";
        let mut metrics = Metrics(BTreeMap::new());
        metrics.add(text);
        metrics.add(text);
        assert_eq!(whole(metrics.sum("quintet_inputs_total", "")), 10);
        assert_eq!(whole(metrics.sum("quintet_inputs_total", "kind=\"event\"")), 6);
        assert_eq!(whole(metrics.sum("quintet_inputs", "")), 0);
    }

    #[test]
    fn the_mean_covers_only_the_batches_between_two_readings() {
        let counts = |batches, batch_seconds| OrderCounts { ended: 0, batches, batch_seconds };
        let (before, after) = (counts(100.0, 50.0), counts(104.0, 51.0));
        assert_eq!(after.mean_batch_since(&before), Some(Duration::from_millis(250)));
        assert_eq!(after.mean_batch_since(&after), None);
    }
}
