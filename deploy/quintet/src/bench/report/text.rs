//! The report as text of at most a hundred columns.

use super::super::figures::{Cost, Figures, Idle, Latency, Throughput};
use super::super::machine::Party;
use super::super::spread::Spread;
use super::{Ratio, micros};
use crate::cmd::audit::{AuditResult, report};
use console::style;
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::time::Duration;

/// The column in which a line's figures begin.
const LABEL: usize = 16;
const CELL: usize = 12;

/// A block of lines for each run, and the ratios of the second run to the first.
pub(crate) fn text(runs: &[Figures]) -> String {
    let mut lines: Vec<String> = runs.iter().flat_map(run).collect();
    if let (Some(ratio), [_, second]) = (Ratio::of(runs), runs) {
        lines.extend(compared(&ratio, second));
    }
    lines.join("\n")
}

fn run(run: &Figures) -> Vec<String> {
    let mut lines = vec![style(&run.title).bold().to_string(), String::new()];
    lines.extend(run.throughput.as_ref().map(throughput).unwrap_or_default());
    if let Some(backlog) = &run.backlog {
        let (rate, orders, took) = (backlog.rate(), backlog.orders, seconds(backlog.took));
        let text = format!(
            "{rate:.0} orders a second: {orders} that had waited for payment ended in {took}"
        );
        lines.push(line("backlog", &text));
    }
    lines.extend(run.latency.as_ref().map(latency).unwrap_or_default());
    lines.extend(parties(run));
    lines.push(String::new());
    let [before, after] = [&run.disk_before, &run.disk_after].map(|spread| millis(spread.p50));
    let disk = format!("p50 of 4 KiB written and synced: {before} before, {after} after");
    lines.push(line("disk", &disk));
    lines.extend(audit(&run.audit_result));
    lines.push(String::new());
    lines
}

fn throughput(throughput: &Throughput) -> Vec<String> {
    let (took, accepted) = (seconds(throughput.took), seconds(throughput.accepted_in));
    let (rate, orders) = (throughput.rate(), throughput.orders);
    let text =
        format!("{rate:.0} orders a second: {orders} ended in {took}, accepted in {accepted}");
    let mut lines = vec![line("throughput", &text)];
    lines.extend(counts(&throughput.cost));
    if !throughput.windows.is_empty() {
        lines.push(cells("", &["orders", "a second", "CPU each"]));
    }
    for window in &throughput.windows {
        let cpu = window.cpu_each().map_or_else(unknown, cpu);
        let figures = [window.until.to_string(), format!("{:.0}", window.rate()), cpu];
        lines.push(cells("  window until", &figures));
    }
    lines
}

fn counts(cost: &Cost) -> Vec<String> {
    let each = |count| format!("{:.2}", cost.per_order(count));
    let (emitted, received) = (each(cost.counts.emitted), each(cost.counts.received));
    let (batches, duplicates) = (cost.per_order(cost.counts.batches), each(cost.counts.duplicates));
    let messages =
        format!("{emitted} sent, {received} received, {duplicates} of them repeats, per order");
    let in_postgres = cost.commits_each();
    let in_postgres = in_postgres.map(|count| format!("; PostgreSQL counts {count:.3}, reads too"));
    let commits = format!(
        "{batches:.3} batches of the services per order{}",
        in_postgres.unwrap_or_default()
    );
    vec![line("messages", &messages), line("commits", &commits)]
}

fn latency(latency: &Latency) -> Vec<String> {
    let heading = format!("at {} a second", latency.per_second);
    let mut lines = vec![String::new(), cells(&heading, &["p50", "p90", "p99", "max"])];
    let row = |name: &str, spread: &Spread| {
        let Spread { p50, p90, p99, max, .. } = *spread;
        cells(&format!("  {name}"), &[p50, p90, p99, max].map(millis))
    };
    lines.push(row("accepted", &latency.accepted));
    lines.extend(latency.ended.iter().map(|(name, spread)| row(name, spread)));
    if let Some(batch) = latency.batch.map(millis) {
        lines.push(
            "  An order's end is stamped when its batch begins. A batch of the order service"
                .to_owned(),
        );
        lines.push(format!("  commits {batch} later, on average."));
    }
    lines
}

/// A table of the CPU and memory of each party.
fn parties(run: &Figures) -> Vec<String> {
    let throughput = run.throughput.as_ref().map(|throughput| &throughput.cost);
    let latency = run.latency.as_ref().map(|latency| &latency.cost);
    let costs: Vec<&Cost> = throughput.into_iter().chain(latency).collect();
    let idle = run.idle.as_ref();
    let mut head = Vec::new();
    head.extend(throughput.map(|_| "CPU an order".to_owned()));
    head.extend(run.latency.as_ref().map(|latency| format!("at {}/s", latency.per_second)));
    head.extend(idle.map(|_| ["idle".to_owned(), "memory".to_owned()]).into_iter().flatten());
    let measured = costs.iter().map(|cost| &cost.cpu).chain(idle.map(|idle| &idle.cpu));
    let parties: BTreeSet<Party> = measured.flat_map(|cpu| cpu.keys()).copied().collect();
    let row = |party: &Party| {
        let each = costs.iter().map(|cost| cost.cpu_each(*party).map_or_else(unknown, cpu));
        let idle = idle.into_iter().flat_map(|idle| idle_cells(idle, *party));
        cells(&format!("  {party}"), &each.chain(idle).collect::<Vec<String>>())
    };
    let mut lines = vec![String::new(), cells("", &head)];
    lines.extend(parties.iter().map(row));
    let sums: Vec<String> =
        costs.iter().map(|cost| cost.cpu_all().map_or_else(unknown, cpu)).collect();
    lines.push(cells("  without load", &sums));
    if parties.iter().any(|party| costs.iter().any(|cost| cost.cpu_each(*party).is_none())) {
        lines.push("  -: not on this machine, or restarted during the measurement".to_owned());
    }
    if parties.iter().any(|party| matches!(party, Party::Postgres | Party::Kafka)) {
        lines.push(
            "  The figures of PostgreSQL and Kafka include their work for other clients."
                .to_owned(),
        );
    }
    lines
}

fn idle_cells(idle: &Idle, party: Party) -> [String; 2] {
    let used = idle.cpu.get(&party).copied().flatten();
    let percent = |used: Duration| used.as_secs_f64() / idle.took.as_secs_f64() * 100.0;
    let cpu = used.map_or_else(unknown, |used| format!("{:.1} %", percent(used)));
    let resident = idle.resident.get(&party).copied().flatten();
    [cpu, resident.map_or_else(unknown, megabytes)]
}

/// One line if all invariants hold, the whole report otherwise.
fn audit(result: &AuditResult) -> Vec<String> {
    let report = report::text(result, Duration::ZERO, report::Notes::Counted);
    if result.holds() {
        return report.lines().last().map(|last| line("audit", last)).into_iter().collect();
    }
    report.lines().map(str::to_owned).collect()
}

fn compared(ratio: &Ratio, second: &Figures) -> Vec<String> {
    let figures = [
        ("orders a second", ratio.orders_per_second),
        ("CPU an order", ratio.cpu_per_order),
        ("batches an order", ratio.batches_per_order),
        ("backlog a second", ratio.backlog_per_second),
        ("p50", ratio.p50),
        ("p99", ratio.p99),
    ];
    let known = figures.iter().filter_map(|(name, ratio)| Some((name, (*ratio)?)));
    let lines = known.map(|(name, ratio)| format!("  {name:<18}{ratio:>10.3} times"));
    let head = format!("{}, compared with the first", second.title);
    [style(head).bold().to_string()].into_iter().chain(lines).collect()
}

fn line(label: &str, text: &str) -> String {
    format!("{label:<LABEL$}{text}")
}

fn cells(label: &str, figures: &[impl Display]) -> String {
    let mut line = format!("{label:<LABEL$}");
    for figure in figures {
        // Writing to a String cannot fail.
        let _ = write!(line, "{figure:>CELL$}");
    }
    line
}

/// The cell of a figure that could not be measured.
fn unknown() -> String {
    "-".to_owned()
}

fn cpu(time: Duration) -> String {
    format!("{:.0} µs", micros(time))
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes >> 20)
}
