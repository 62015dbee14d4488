//! What the services count of themselves, read from their `/metrics`.

use crate::names;
use anyhow::{Context, Result};
use quintet_suite::Component;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use std::collections::BTreeMap;
use std::ops::Sub;
use std::time::Duration;

/// What all services counted, since each of them began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Transactions of the engines.
    pub(super) turns: f64,
    /// Events that were put into outboxes.
    pub(super) emitted: f64,
    /// Events that came in, also those that had come before.
    pub(super) received: f64,
    /// Inputs that had been applied before.
    pub(super) duplicates: f64,
}

/// What order counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Orders {
    pub(super) ended: u64,
    turns: f64,
    /// What they took, from their begins to their commits.
    turn_seconds: f64,
}

/// Series with their values, by their names and labels.
#[derive(Debug)]
struct Metrics(BTreeMap<String, f64>);

impl Counts {
    /// # Errors
    /// When a service does not answer.
    pub(super) async fn of(suite: &Suite, api: &Api) -> Result<Self> {
        let mut counts = Self::default();
        for service in suite.services.keys().copied() {
            let metrics = Metrics::of(suite, service, api).await?;
            counts.turns += metrics.sum("quintet_turns_total", "");
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
            turns: self.turns - before.turns,
            emitted: self.emitted - before.emitted,
            received: self.received - before.received,
            duplicates: self.duplicates - before.duplicates,
        }
    }
}

impl Orders {
    /// # Errors
    /// When order does not answer.
    pub(super) async fn of(suite: &Suite, api: &Api) -> Result<Self> {
        let metrics = Metrics::of(suite, names::order(), api).await?;
        Ok(Self {
            ended: whole(metrics.sum("quintet_orders_ended_total", "")),
            turns: metrics.sum("quintet_turn_seconds_count", ""),
            turn_seconds: metrics.sum("quintet_turn_seconds_sum", ""),
        })
    }

    /// What a batch has taken since `before` from its begin to its commit, on average.
    pub(super) fn turn_since(&self, before: &Self) -> Option<Duration> {
        let (turns, seconds) = (self.turns - before.turns, self.turn_seconds - before.turn_seconds);
        Duration::try_from_secs_f64(seconds / turns).ok()
    }
}

impl Metrics {
    /// Of all replicas of a service.
    async fn of(suite: &Suite, service: Component, api: &Api) -> Result<Self> {
        let mut all = Self(BTreeMap::new());
        let replicas = suite.services.get(&service).map(|service| &service.replicas[..]);
        for replica in replicas.unwrap_or_default() {
            let text = api.text(&format!("{}/metrics", replica.url)).await;
            all.add(&text.with_context(|| format!("{service} must be up"))?);
        }
        Ok(all)
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

    /// The sum of all series of this name with this label.
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
    reason = "a counter is a whole number from 0, and nobody counts 2^53 orders"
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
    fn a_batchs_time_is_the_average_of_those_in_between() {
        let orders = |turns, turn_seconds| Orders { ended: 0, turns, turn_seconds };
        let (before, after) = (orders(100.0, 50.0), orders(104.0, 51.0));
        assert_eq!(after.turn_since(&before), Some(Duration::from_millis(250)));
        assert_eq!(after.turn_since(&after), None);
    }
}
