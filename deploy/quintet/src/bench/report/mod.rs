//! The report of a benchmark, as text and as JSON.

mod json;
mod text;

pub(super) use json::json;
pub(super) use text::text;

use super::figures::Figures;
use serde::Serialize;
use std::time::Duration;

/// Each figure of the second run divided by the same figure of the first; `None` where a run lacks the figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Ratio {
    orders_per_second: Option<f64>,
    cpu_per_order: Option<f64>,
    batches_per_order: Option<f64>,
    backlog_per_second: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
}

impl Ratio {
    /// `None` unless there are two runs.
    fn of(runs: &[Figures]) -> Option<Self> {
        let [first, second] = runs else { return None };
        let ratio = |figure: &dyn Fn(&Figures) -> Option<f64>| {
            let (first, second) = (figure(first)?, figure(second)?);
            (first > 0.0).then(|| second / first)
        };
        let latency_ratio = |percentile: fn(&super::spread::Spread) -> Duration| {
            ratio(&|run| {
                let ended = run.latency.as_ref()?.ended.get("ended")?;
                Some(percentile(ended).as_secs_f64())
            })
        };
        Some(Self {
            orders_per_second: ratio(&|run| Some(run.throughput.as_ref()?.rate())),
            cpu_per_order: ratio(&|run| {
                Some(run.throughput.as_ref()?.cost.cpu_all()?.as_secs_f64())
            }),
            batches_per_order: ratio(&|run| {
                let cost = &run.throughput.as_ref()?.cost;
                Some(cost.per_order(cost.counts.batches))
            }),
            backlog_per_second: ratio(&|run| Some(run.backlog?.rate())),
            p50: latency_ratio(|spread| spread.p50),
            p99: latency_ratio(|spread| spread.p99),
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::super::counters::Counts;
    use super::super::figures::{Backlog, Cost, Idle, Latency, Throughput, Window};
    use super::super::machine::{Cpu, Party};
    use super::super::spread::Spread;
    use super::*;
    use crate::chaos::suite_of_test;
    use crate::cmd::audit::AuditResult;
    use audit::Report;

    fn spread(millis: u64) -> Spread {
        let [p50, p90, p99, max] = [1, 2, 3, 4].map(|times| Duration::from_millis(times * millis));
        Spread { count: 9, p50, p90, p99, max }
    }

    /// Figures of a run in which every process was busy all the time. The CPU of Kafka is unknown if it is `remote`.
    fn figures(title: &str, orders: u64, millis: u64, remote: bool) -> Figures {
        let took = Duration::from_millis(millis);
        let parties =
            suite_of_test(1).components().map(Party::Component).collect::<Vec<_>>().into_iter();
        let parties = parties.chain([Party::Postgres, Party::Kafka, Party::Bench]);
        let cpu: Cpu =
            parties.map(|it| (it, (!remote || it != Party::Kafka).then_some(took))).collect();
        let counts = Counts { batches: 50.0, emitted: 700.0, received: 1_300.0, duplicates: 1.0 };
        let cost = Cost { orders, cpu: cpu.clone(), counts, commits: Some(40) };
        let windows = vec![Window { until: 123_456_789, orders, took, cpu: cpu.clone() }];
        Figures {
            title: title.to_owned(),
            disk_before: spread(3),
            disk_after: spread(4),
            throughput: Some(Throughput {
                orders,
                took,
                accepted_in: took / 2,
                cost: cost.clone(),
                windows,
            }),
            backlog: Some(Backlog { orders, took }),
            latency: Some(Latency {
                per_second: 100_000,
                accepted: spread(2),
                ended: [("ended", spread(millis)), ("completed", spread(9))].into(),
                batch: Some(took),
                cost,
            }),
            idle: Some(Idle { took, resident: [(Party::Kafka, None)].into(), cpu }),
            audit_result: AuditResult::AtRest(Report { invariants: Vec::new() }),
        }
    }

    #[test]
    fn the_second_run_is_compared_with_the_first() {
        let runs = [figures("one", 100, 1_000, false), figures("two", 100, 4_000, false)];
        let ratio = Ratio::of(&runs).unwrap();
        let expected = Ratio {
            orders_per_second: Some(0.25),
            cpu_per_order: Some(4.0),
            batches_per_order: Some(1.0),
            backlog_per_second: Some(0.25),
            p50: Some(4.0),
            p99: Some(4.0),
        };
        assert_eq!(ratio, expected);
        assert_eq!(Ratio::of(&runs[..1]), None);
        let text = text(&runs);
        assert!(text.contains("\ntwo, compared with the first\n"), "{text}");
        assert!(text.ends_with("  p99                    4.000 times"), "{text}");
    }

    #[test]
    fn a_figure_that_one_run_lacks_is_not_compared() {
        let mut runs = [figures("one", 100, 1_000, false), figures("two", 100, 4_000, true)];
        (runs[0].latency, runs[0].backlog) = (None, None);
        let ratio = Ratio::of(&runs).unwrap();
        let expected = Ratio {
            orders_per_second: Some(0.25),
            batches_per_order: Some(1.0),
            ..Ratio::default()
        };
        assert_eq!(ratio, expected);
    }

    #[test]
    fn text_fits_a_hundred_columns_and_json_has_the_same_figures() {
        let runs = [figures("on Kafka and PostgreSQL", 2_000_000, 123_456, true)];
        let text = text(&runs);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(text.contains("16200 orders a second: 2000000 ended in 123.5 s"), "{text}");
        let kafka = text.lines().find(|line| line.starts_with("  Kafka ")).unwrap();
        assert_eq!(kafka.split_whitespace().collect::<Vec<_>>(), ["Kafka", "-", "-", "-", "-"]);
        let json = json(&runs);
        let run = &json["runs"][0];
        assert_eq!(run["throughput"]["per_order"]["cpu_micros"]["order"], 61.728);
        assert_eq!(run["throughput"]["per_order"]["cpu_micros"]["kafka"], serde_json::Value::Null);
        assert_eq!(run["latency"]["ended"]["completed"]["p50"], 0.009);
        assert_eq!(run["idle"]["processes"]["payment"]["cores"], 1.0);
        assert_eq!(run["audit"]["result"], "sound");
        assert_eq!(json["ratio"], serde_json::Value::Null);
    }
}
