use std::{cell::Cell as Flag, collections::BTreeMap};

use anyhow::{Result, ensure};
use audit::Snapshot;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::Backend;

use crate::{
    Cell, CellOutcome, Course, Reach,
    crash_suite::CrashSuite,
    outcome::find_wrong,
    round::{CellOrder, Delivery, orders_for, run_orders},
};

/// The rounds cycle through these until every cell is reached. Which of an order's last events ends it depends on them.
const DELIVERIES: [Delivery; 3] = [Delivery::Late, Delivery::Live, Delivery::Half];
/// The largest number of rounds. A cell that is not reached in them counts as missed.
const ROUNDS: usize = 9;
/// A deadline that does not pass: it is longer than a run of the matrix.
const NEVER: &str = "24h";
/// The first deadline that passes in an order's course. It leaves time to arm the cells with the orders' ids.
const SOON: &str = "15s";
/// A later deadline, before which nothing more has to be armed.
const AT_ONCE: &str = "1s";

/// The settings of deadlines. Courses with the same timing run on one suite at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// No deadline passes.
    NoDeadlines,
    /// No deadline passes, but a request that a provider does not serve is soon held for an operator.
    Operated,
    /// The deadline of the payment passes soon.
    Unpaid,
    /// The first and the second deadline pass soon.
    Overdue,
}

impl Timing {
    const ALL: [Self; 4] = [Self::NoDeadlines, Self::Operated, Self::Unpaid, Self::Overdue];

    fn of(course: Course) -> Self {
        match course {
            Course::Unpaid => Self::Unpaid,
            Course::Overdue => Self::Overdue,
            Course::Held(_) | Course::Resolved(_) => Self::Operated,
            _ => Self::NoDeadlines,
        }
    }

    /// The deliveries for orders of this timing. The others than [`Delivery::Live`] wait until the other services are quiet. A
    /// held request would keep them from that, and an order must receive its events while its deadlines run.
    fn deliveries(self) -> &'static [Delivery] {
        if self == Self::NoDeadlines { &DELIVERIES } else { &[Delivery::Live] }
    }

    /// Environment variables for the deadlines of orders, and for the time after which an unsent mail is held.
    fn variables(self) -> [(&'static str, &'static str); 4] {
        let (paid, first, second) = match self {
            Self::NoDeadlines | Self::Operated => (NEVER, NEVER, NEVER),
            Self::Unpaid => (SOON, NEVER, NEVER),
            Self::Overdue => (NEVER, SOON, AT_ONCE),
        };
        let mail = if self == Self::Operated { AT_ONCE } else { NEVER };
        [
            ("QUINTET_ORDER__DEADLINES__PAID", paid),
            ("QUINTET_ORDER__DEADLINES__FIRST", first),
            ("QUINTET_ORDER__DEADLINES__SECOND", second),
            ("QUINTET_NOTIFICATION__EFFECTS__HOLD_AFTER", mail),
        ]
    }
}

/// The outcomes of a run's cells, by the cells' names.
pub type Outcomes = BTreeMap<String, CellOutcome>;

/// The results of a run so far, and the bar that shows its progress.
struct Progress<'a> {
    outcomes: &'a mut Outcomes,
    bar: &'a ProgressBar,
}

/// Runs these cells on a backend. The orders of many cells run at the same time, and each is armed to kill a service at one
/// point. Progress is written to standard error.
///
/// # Errors
/// If the suite does not come to rest, or the audit does not hold.
pub async fn run(backend: &Backend, cells: &[Cell]) -> Result<Outcomes> {
    let mut outcomes: Outcomes =
        cells.iter().map(|cell| (cell.name(), initial_outcome(cell))).collect();
    let reachable = cells.iter().filter(|cell| matches!(cell.reach, Reach::By(_)));
    let bar = progress_bar(reachable.count());
    for timing in Timing::ALL {
        let has_timing =
            |cell: &&Cell| matches!(cell.reach, Reach::By(course) if Timing::of(course) == timing);
        let cells: Vec<&Cell> = cells.iter().filter(has_timing).collect();
        if !cells.is_empty() {
            let suite = CrashSuite::new(backend, &timing.variables())?;
            let progress = Progress { outcomes: &mut outcomes, bar: &bar };
            run_rounds(&suite, &cells, timing.deliveries(), progress).await?;
        }
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

fn initial_outcome(cell: &Cell) -> CellOutcome {
    match cell.reach {
        Reach::Never(why) => CellOutcome::Never(why),
        Reach::By(_) | Reach::Unknown => CellOutcome::Missed,
    }
}

/// Runs rounds until every cell is reached.
async fn run_rounds(
    suite: &CrashSuite,
    cells: &[&Cell],
    deliveries: &[Delivery],
    progress: Progress<'_>,
) -> Result<()> {
    let Progress { outcomes, bar } = progress;
    for (nth, delivery) in deliveries.iter().cycle().take(ROUNDS).enumerate() {
        let is_missed = |cell: &&&Cell| outcomes[&cell.name()] == CellOutcome::Missed;
        let missed: Vec<&Cell> = cells.iter().filter(is_missed).copied().collect();
        let mut orders = orders_for(&missed)?;
        if orders.is_empty() {
            break;
        }
        let (begun, count) = (bar.position(), orders.len());
        let cell_count = missed.len();
        say(bar, &format!("round {}: {cell_count} cells, {count} orders, {delivery:?}", nth + 1));
        let reached = Flag::new(0);
        let count_reached = || {
            let hit = missed.iter().filter(|cell| suite.armed.hit(&cell.name()).is_some()).count();
            reached.set(hit);
            bar.set_position(begun + u64::try_from(hit).unwrap_or(u64::MAX));
        };
        let running = async {
            run_orders(suite, &mut orders, *delivery).await?;
            suite.audit().await
        };
        let (snapshot, report) = suite.restart_dead_during(running, count_reached).await?;
        count_reached();
        note_outcomes(suite, &orders, &snapshot, outcomes);
        say(bar, &format!("round {}: {} cells reached", nth + 1, reached.get()));
        ensure!(report.holds(), "the audit does not hold:\n{report}");
    }
    Ok(())
}

fn note_outcomes(
    suite: &CrashSuite,
    orders: &[CellOrder<'_>],
    snapshot: &Snapshot,
    outcomes: &mut Outcomes,
) {
    for order in orders {
        let (name, wrong) = (order.cell.name(), find_wrong(order, snapshot));
        let hit = suite.armed.hit(&name).is_some();
        match (wrong, &outcomes[&name]) {
            (Some(why), _) => drop(outcomes.insert(name, CellOutcome::Wrong(why))),
            (None, CellOutcome::Missed) if hit => drop(outcomes.insert(name, CellOutcome::Once)),
            (None, _) => {}
        }
    }
}

fn progress_bar(total: usize) -> ProgressBar {
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

/// Writes a line, above the bar if standard error is a terminal.
fn say(bar: &ProgressBar, text: &str) {
    bar.set_message(text.to_owned());
    bar.suspend(|| eprintln!("{text}"));
}
