//! Counts orders that end, by a counter of the order service. Reading each order instead would load the suite and distort
//! the measurement.

use super::counters::OrderCounts;
use super::figures::Window;
use super::machine::{Cpu, Machine, used};
use anyhow::{Result, bail};
use quintet_suite::Suite;
use quintet_suite::http::Api;
use quintet_suite::ui::Progress;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest pause between two readings. Each reading costs the order service a few queries.
const POLL: Duration = Duration::from_millis(200);
/// The pause shortly before the last order ends, whose time is to be measured exactly.
const LAST_POLL: Duration = Duration::from_millis(20);
/// The measurement fails if no order ends for this long.
const STUCK: Duration = Duration::from_mins(1);
/// How many orders make up a window.
const WINDOW: u64 = 10_000;

/// Counts the orders that end from a moment on, and reads the CPU times as it does.
pub(super) struct EndCounter<'a> {
    suite: &'a Suite,
    api: &'a Api,
    machine: &'a Machine,
    /// Orders that had ended before that moment.
    before: u64,
    samples: Samples,
}

/// The readings, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    ended: u64,
    cpu: Cpu,
}

impl<'a> EndCounter<'a> {
    /// Counts from now on.
    ///
    /// # Errors
    /// When the order service does not answer.
    pub(super) async fn begin(
        suite: &'a Suite,
        api: &'a Api,
        machine: &'a Machine,
    ) -> Result<Self> {
        let before = OrderCounts::of(suite, api).await?.ended;
        let first = Sample { at: Instant::now(), ended: 0, cpu: machine.cpu() };
        Ok(Self { suite, api, machine, before, samples: Samples(vec![first]) })
    }

    /// How many orders have ended since the counter began.
    ///
    /// # Errors
    /// When the order service does not answer.
    pub(super) async fn ended(&self) -> Result<u64> {
        let ended = OrderCounts::of(self.suite, self.api).await?.ended;
        Ok(ended.saturating_sub(self.before))
    }

    /// Counts until this many orders have ended.
    ///
    /// # Errors
    /// When the order service does not answer, or no order ends any more.
    pub(super) async fn until(mut self, orders: u64, bar: &Progress) -> Result<Samples> {
        let mut last_end = Instant::now();
        let mut last = 0;
        loop {
            let ended = self.ended().await?;
            let (at, cpu) = (Instant::now(), self.machine.cpu());
            self.samples.0.push(Sample { at, ended, cpu });
            bar.at(ended);
            if ended >= orders {
                return Ok(self.samples);
            }
            if ended > last {
                (last, last_end) = (ended, at);
            }
            if at.duration_since(last_end) > STUCK {
                bail!("{ended} of {orders} orders have ended, but none within the last minute");
            }
            sleep(pause(self.samples.took(), ended, orders)).await;
        }
    }
}

/// Half of the time that the remaining orders will take at the rate so far, so that readings come closer together towards the
/// end.
fn pause(took: Duration, ended: u64, orders: u64) -> Duration {
    let rest = took.as_micros() * u128::from(orders - ended) / u128::from(ended.max(1));
    Duration::from_micros(u64::try_from(rest / 2).unwrap_or(u64::MAX)).clamp(LAST_POLL, POLL)
}

impl Samples {
    /// The time from the first reading to the last.
    pub(super) fn took(&self) -> Duration {
        match &self.0[..] {
            [first, .., last] => last.at.duration_since(first.at),
            _ => Duration::ZERO,
        }
    }

    /// The windows of the run. Orders after the last complete window belong to none.
    pub(super) fn windows(&self) -> Vec<Window> {
        let mut windows = Vec::new();
        let Some(mut begin) = self.0.first() else {
            return windows;
        };
        for sample in &self.0 {
            if sample.ended - begin.ended >= WINDOW {
                windows.push(Window {
                    until: sample.ended,
                    orders: sample.ended - begin.ended,
                    took: sample.at.duration_since(begin.at),
                    cpu: used(&begin.cpu, &sample.cpu),
                });
                begin = sample;
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Party;

    #[test]
    fn readings_come_closer_together_towards_the_end() {
        let after_a_second = |ended| pause(Duration::from_secs(1), ended, 1_000).as_millis();
        assert_eq!([0, 500, 900, 999].map(after_a_second), [200, 200, 55, 20]);
    }

    #[test]
    fn a_window_begins_where_the_one_before_ended_and_has_the_cpu_used_in_it() {
        let begun = Instant::now();
        let seconds = Duration::from_secs;
        let sample = |at: u64, ended: u64| Sample {
            at: begun + seconds(at),
            ended,
            cpu: [(Party::Kafka, Some(seconds(at * 2)))].into(),
        };
        let all = [(0, 0), (1, 9_999), (2, 12_000), (3, 21_000), (5, 22_500), (6, 30_000)];
        let samples = Samples(all.map(|(at, ended)| sample(at, ended)).into());
        let windows: Vec<_> = samples.windows().into_iter().collect();
        let seen = windows.iter().map(|it| (it.until, it.orders, it.took, it.cpu_each()));
        let each = |used: u64, orders| Some(Duration::from_nanos(used * 1_000_000_000 / orders));
        let expected = [
            (12_000, 12_000, seconds(2), each(4, 12_000)),
            (22_500, 10_500, seconds(3), each(6, 10_500)),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(samples.took(), seconds(6));
    }
}
