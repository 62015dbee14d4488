//! For programs. Times are seconds, CPU is microseconds an order, memory is bytes.

use super::super::figures::{Backlog, Cost, Figures, Idle, Latency, Throughput, Window};
use super::super::machine::Party;
use super::{Ratio, micros};
use crate::cmd::audit::report;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// All runs, and how the second compares with the first.
pub(crate) fn json(runs: &[Figures]) -> Value {
    json!({
        "debug_build": cfg!(debug_assertions),
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "ratio": Ratio::of(runs),
    })
}

fn run(run: &Figures) -> Value {
    json!({
        "title": run.title,
        "disk": { "before": run.disk_before, "after": run.disk_after },
        "throughput": run.throughput.as_ref().map(throughput),
        "backlog": run.backlog.as_ref().map(backlog),
        "latency": run.latency.as_ref().map(latency),
        "idle": run.idle.as_ref().map(idle),
        "audit": report::json(&run.verdict),
    })
}

fn throughput(it: &Throughput) -> Value {
    json!({
        "orders": it.orders, "seconds": it.took.as_secs_f64(), "per_second": it.rate(),
        "accepted_seconds": it.accepted_in.as_secs_f64(), "per_order": cost(&it.cost),
        "windows": it.windows.iter().map(window).collect::<Vec<_>>(),
    })
}

fn window(it: &Window) -> Value {
    json!({
        "until": it.until, "orders": it.orders, "seconds": it.took.as_secs_f64(),
        "per_second": it.rate(), "cpu_micros": it.cpu_each().map(micros),
    })
}

fn cost(it: &Cost) -> Value {
    let each = |party: &Party| (party.key(), it.cpu_each(*party).map(micros));
    let cpu: BTreeMap<&str, Option<f64>> = it.cpu.keys().map(each).collect();
    let counts = it.counts;
    json!({
        "cpu_micros": cpu, "cpu_micros_without_the_load": it.cpu_all().map(micros),
        "turns": it.per_order(counts.turns), "events_emitted": it.per_order(counts.emitted),
        "events_received": it.per_order(counts.received),
        "duplicates": it.per_order(counts.duplicates),
        "postgres_commits": it.commits_each(),
    })
}

fn backlog(it: &Backlog) -> Value {
    json!({
        "orders": it.orders, "seconds": it.took.as_secs_f64(), "per_second": it.rate()
    })
}

fn latency(it: &Latency) -> Value {
    json!({
        "per_second": it.per_second, "accepted": it.accepted, "ended": it.ended,
        "turn_seconds": it.turn.map(|turn| turn.as_secs_f64()), "per_order": cost(&it.cost),
    })
}

fn idle(it: &Idle) -> Value {
    let share = |used: Duration| used.as_secs_f64() / it.took.as_secs_f64();
    let of = |(party, used): (&Party, &Option<Duration>)| {
        let resident = it.resident.get(party).copied().flatten();
        (party.key(), json!({ "cores": used.map(share), "resident_bytes": resident }))
    };
    let processes: BTreeMap<&str, Value> = it.cpu.iter().map(of).collect();
    json!({ "seconds": it.took.as_secs_f64(), "processes": processes })
}
