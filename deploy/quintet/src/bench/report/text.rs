//! For people.

use super::super::figures::{Cost, Figures, Latency, Throughput};
use super::super::machine::Party;
use super::super::spread::Spread;
use super::{Ratio, micros};
use crate::cmd::audit::{Verdict, report};
use console::style;
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::time::Duration;

/// Where a line's figures begin.
const LABEL: usize = 16;
const CELL: usize = 12;

/// A block for each run, and how the second compares with the first.
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
        let told = format!(
            "{} that had waited for payment ended in {}",
            backlog.orders,
            seconds(backlog.took)
        );
        lines.push(line("backlog", &format!("{:.0} orders a second: {told}", backlog.rate())));
    }
    lines.extend(run.latency.as_ref().map(latency).unwrap_or_default());
    lines.extend(parties(run));
    lines.push(String::new());
    let disk = [&run.disk_before, &run.disk_after].map(|it| millis(it.p50));
    let told = format!("p50 of 4 KiB written and synced: {} before, {} after", disk[0], disk[1]);
    lines.push(line("disk", &told));
    lines.extend(audit(&run.verdict));
    lines.push(String::new());
    lines
}

fn throughput(it: &Throughput) -> Vec<String> {
    let (took, accepted) = (seconds(it.took), seconds(it.accepted_in));
    let told = format!("{} ended in {took}, accepted in {accepted}", it.orders);
    let mut lines = vec![line("throughput", &format!("{:.0} orders a second: {told}", it.rate()))];
    lines.extend(counts(&it.cost));
    if !it.windows.is_empty() {
        lines.push(cells("", &["orders".to_owned(), "a second".to_owned(), "CPU each".to_owned()]));
    }
    for window in &it.windows {
        let cpu = window.cpu_each().map_or_else(unseen, cpu);
        let figures = [window.until.to_string(), format!("{:.0}", window.rate()), cpu];
        lines.push(cells("  window until", &figures));
    }
    lines
}

fn counts(it: &Cost) -> Vec<String> {
    let each = |count| format!("{:.2}", it.per_order(count));
    let (emitted, received) = (each(it.counts.emitted), each(it.counts.received));
    let (turns, again) = (it.per_order(it.counts.turns), each(it.counts.duplicates));
    let messages = format!("{emitted} sent, {received} received, {again} of them again, an order");
    let commits = it.commits_each().map(|it| format!("; {it:.3} by PostgreSQL's count, reads too"));
    let commits = format!("{turns:.3} batches of the services{}", commits.unwrap_or_default());
    vec![line("messages", &messages), line("commits", &format!("{commits}, an order"))]
}

fn latency(it: &Latency) -> Vec<String> {
    let head = ["p50", "p90", "p99", "max"].map(str::to_owned);
    let mut lines = vec![String::new(), cells(&format!("at {} a second", it.per_second), &head)];
    let row = |name: &str, it: &Spread| {
        cells(&format!("  {name}"), &[it.p50, it.p90, it.p99, it.max].map(millis))
    };
    lines.push(row("accepted", &it.accepted));
    lines.extend(it.ended.iter().map(|(name, spread)| row(name, spread)));
    if let Some(turn) = it.turn {
        let told = "Ends are timed as their batch begins; order's batches take";
        lines.push(format!("  {told} {} to commit, on average.", millis(turn)));
    }
    lines
}

/// Everybody's CPU and memory.
fn parties(run: &Figures) -> Vec<String> {
    let costs =
        [run.throughput.as_ref().map(|it| &it.cost), run.latency.as_ref().map(|it| &it.cost)];
    let idle = run.idle.as_ref();
    let mut head = Vec::new();
    head.extend(costs[0].map(|_| "CPU an order".to_owned()));
    head.extend(run.latency.as_ref().map(|it| format!("at {}/s", it.per_second)));
    head.extend(idle.map(|_| ["idle".to_owned(), "memory".to_owned()]).into_iter().flatten());
    let all = costs.iter().flatten().flat_map(|cost| cost.cpu.keys());
    let all: BTreeSet<Party> =
        all.chain(idle.into_iter().flat_map(|it| it.cpu.keys())).copied().collect();
    let row = |party: &Party| {
        let mut figures: Vec<String> = Vec::new();
        let each = |cost: &&Cost| cost.cpu_each(*party).map_or_else(unseen, cpu);
        figures.extend(costs.iter().flatten().map(each));
        if let Some(idle) = idle {
            let used = idle.cpu.get(party).copied().flatten();
            let share = |used: Duration| used.as_secs_f64() / idle.took.as_secs_f64() * 100.0;
            figures.push(used.map_or_else(unseen, |used| format!("{:.1} %", share(used))));
            figures
                .push(idle.resident.get(party).copied().flatten().map_or_else(unseen, megabytes));
        }
        cells(&format!("  {party}"), &figures)
    };
    let mut lines = vec![String::new(), cells("", &head)];
    lines.extend(all.iter().map(row));
    let sums: Vec<String> =
        costs.iter().flatten().map(|cost| cost.cpu_all().map_or_else(unseen, cpu)).collect();
    lines.push(cells("  without load", &sums));
    if all.iter().any(|party| costs.iter().flatten().any(|cost| cost.cpu_each(*party).is_none())) {
        lines.push("  -: not on this machine, or restarted meanwhile".to_owned());
    }
    if all.iter().any(|party| matches!(party, Party::Postgres | Party::Kafka)) {
        lines.push(
            "  PostgreSQL and Kafka with all that they did meanwhile, for whomever.".to_owned(),
        );
    }
    lines
}

fn audit(verdict: &Verdict) -> Vec<String> {
    let told = report::text(verdict, Duration::ZERO, report::Notes::Counted);
    if verdict.holds() {
        return told.lines().last().map(|it| line("audit", it)).into_iter().collect();
    }
    told.lines().map(str::to_owned).collect()
}

fn compared(ratio: &Ratio, second: &Figures) -> Vec<String> {
    let figures = [
        ("orders a second", ratio.orders_per_second),
        ("CPU an order", ratio.cpu_per_order),
        ("turns an order", ratio.turns_per_order),
        ("backlog a second", ratio.backlog_per_second),
        ("p50", ratio.p50),
        ("p99", ratio.p99),
    ];
    let told = figures.iter().filter_map(|(name, times)| Some((name, (*times)?)));
    let told = told.map(|(name, times)| format!("  {name:<18}{times:>10.3} times"));
    let head = format!("{}, compared with the first", second.title);
    [style(head).bold().to_string()].into_iter().chain(told).collect()
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

fn unseen() -> String {
    "-".to_owned()
}

fn cpu(it: Duration) -> String {
    format!("{:.0} µs", micros(it))
}

fn millis(it: Duration) -> String {
    format!("{:.1} ms", it.as_secs_f64() * 1e3)
}

fn seconds(it: Duration) -> String {
    format!("{:.1} s", it.as_secs_f64())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes >> 20)
}
