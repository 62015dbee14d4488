//! The report as JSON. Times are in seconds, CPU is in microseconds for each order, memory is in bytes.

use super::super::figures::{Backlog, Cost, Figures, Idle, Latency, Throughput, Window};
use super::super::machine::Party;
use super::{Ratio, micros};
use crate::cmd::audit::report;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The report of all runs; `ratio` compares the second run with the first.
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
        "audit": report::json(&run.audit_result),
    })
}

fn throughput(throughput: &Throughput) -> Value {
    let Throughput { orders, took, accepted_in, cost: costs, windows } = throughput;
    json!({
        "orders": orders, "seconds": took.as_secs_f64(), "per_second": throughput.rate(),
        "accepted_seconds": accepted_in.as_secs_f64(), "per_order": cost(costs),
        "windows": windows.iter().map(window).collect::<Vec<_>>(),
    })
}

fn window(window: &Window) -> Value {
    json!({
        "until": window.until, "orders": window.orders, "seconds": window.took.as_secs_f64(),
        "per_second": window.rate(), "cpu_micros": window.cpu_each().map(micros),
    })
}

fn cost(cost: &Cost) -> Value {
    let each = |party: &Party| (party.key(), cost.cpu_each(*party).map(micros));
    let cpu: BTreeMap<&str, Option<f64>> = cost.cpu.keys().map(each).collect();
    let counts = cost.counts;
    json!({
        "cpu_micros": cpu, "cpu_micros_without_the_load": cost.cpu_all().map(micros),
        "batches": cost.per_order(counts.batches),
        "events_emitted": cost.per_order(counts.emitted),
        "events_received": cost.per_order(counts.received),
        "duplicates": cost.per_order(counts.duplicates),
        "postgres_commits": cost.commits_each(),
    })
}

fn backlog(backlog: &Backlog) -> Value {
    json!({
        "orders": backlog.orders, "seconds": backlog.took.as_secs_f64(),
        "per_second": backlog.rate()
    })
}

fn latency(latency: &Latency) -> Value {
    let Latency { per_second, accepted, ended, batch, cost: costs } = latency;
    json!({
        "per_second": per_second, "accepted": accepted, "ended": ended,
        "batch_seconds": batch.map(|batch| batch.as_secs_f64()), "per_order": cost(costs),
    })
}

fn idle(idle: &Idle) -> Value {
    let seconds = idle.took.as_secs_f64();
    let processes = idle.cpu.iter().map(|(party, used)| {
        let cores = used.map(|used| used.as_secs_f64() / seconds);
        let resident = idle.resident.get(party).copied().flatten();
        (party.key(), json!({ "cores": cores, "resident_bytes": resident }))
    });
    json!({ "seconds": seconds, "processes": processes.collect::<BTreeMap<&str, Value>>() })
}
