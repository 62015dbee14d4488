use std::{cell::Cell as Flag, collections::BTreeMap};

use anyhow::{Result, ensure};
use audit::Snapshot;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::Backend;

use crate::{
    Cell, Reach, Story, Verdict,
    round::{Flow, Guest, guests, play},
    stage::Stage,
    verdict::wrong,
};

/// In turns, until every cell is reached: which of an order's last events ends it depends on them.
const FLOWS: [Flow; 3] = [Flow::Late, Flow::Live, Flow::Half];
/// Who is not reached in so many rounds is not reached.
const ROUNDS: usize = 9;
/// Longer than a matrix takes.
const NEVER: &str = "24h";
/// Time enough to tell everybody what is armed.
const SOON: &str = "15s";
/// What follows needs no more to be armed.
const AT_ONCE: &str = "1s";

/// What runs at the same time, with the same settings of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// No deadline passes.
    Calm,
    /// No deadline passes either, but what a provider does not take is soon held.
    Operated,
    /// Orders must be paid soon.
    Unpaid,
    /// Orders must end soon.
    Overdue,
}

impl Pace {
    const ALL: [Self; 4] = [Self::Calm, Self::Operated, Self::Unpaid, Self::Overdue];

    fn of(story: Story) -> Self {
        match story {
            Story::Unpaid => Self::Unpaid,
            Story::Overdue => Self::Overdue,
            Story::Held(_) | Story::Resolved(_) => Self::Operated,
            _ => Self::Calm,
        }
    }

    /// What is not calm plays as it happens: nothing may wait for what is held, or be late.
    fn flows(self) -> &'static [Flow] {
        if self == Self::Calm { &FLOWS } else { &[Flow::Live] }
    }

    /// How long an order may take to be paid, until the first deadline, and from there; and how long a mail may
    /// take.
    fn variables(self) -> [(&'static str, &'static str); 4] {
        let (paid, first, second) = match self {
            Self::Calm | Self::Operated => (NEVER, NEVER, NEVER),
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

/// The cells of a run, each with what came of it.
pub type Verdicts = BTreeMap<String, Verdict>;

/// Plays these cells on a backend: orders run at the same time, each armed to kill a service at one
/// point of its own way. Says on standard error how far it is.
///
/// # Errors
/// If the suite does not come to rest, or the audit does not hold.
pub async fn run(backend: &Backend, cells: &[Cell]) -> Result<Verdicts> {
    let mut verdicts: Verdicts = cells.iter().map(|cell| (cell.name(), begin(cell))).collect();
    let bar = progress(cells.iter().filter(|cell| matches!(cell.reach, Reach::By(_))).count());
    for pace in Pace::ALL {
        let at = |cell: &&Cell| matches!(cell.reach, Reach::By(story) if Pace::of(story) == pace);
        let cells: Vec<&Cell> = cells.iter().filter(at).collect();
        if !cells.is_empty() {
            let stage = Stage::start(backend, &pace.variables())?;
            rounds(&stage, &cells, pace.flows(), (&mut verdicts, &bar)).await?;
        }
    }
    bar.finish_and_clear();
    Ok(verdicts)
}

fn begin(cell: &Cell) -> Verdict {
    match cell.reach {
        Reach::Never(why) => Verdict::Never(why),
        Reach::By(_) | Reach::Unknown => Verdict::Missed,
    }
}

/// Plays rounds until none of the cells is left.
async fn rounds(
    stage: &Stage,
    cells: &[&Cell],
    flows: &[Flow],
    (verdicts, bar): (&mut Verdicts, &ProgressBar),
) -> Result<()> {
    for (nth, flow) in flows.iter().cycle().take(ROUNDS).enumerate() {
        let missed = |cell: &&&Cell| verdicts[&cell.name()] == Verdict::Missed;
        let left: Vec<&Cell> = cells.iter().filter(missed).copied().collect();
        let mut guests = guests(&left)?;
        if guests.is_empty() {
            break;
        }
        let (begun, count) = (bar.position(), guests.len());
        say(bar, &format!("round {}: {} cells, {count} orders, {flow:?}", nth + 1, left.len()));
        let seen = Flag::new(0);
        let look = || {
            let hit = left.iter().filter(|cell| stage.armed.hit(&cell.name()).is_some()).count();
            seen.set(hit);
            bar.set_position(begun + u64::try_from(hit).unwrap_or(u64::MAX));
        };
        let playing = async {
            play(stage, &mut guests, *flow).await?;
            stage.audit().await
        };
        let (snapshot, report) = stage.play(look, playing).await?;
        look();
        judge(stage, &guests, &snapshot, verdicts);
        say(bar, &format!("round {}: {} cells reached", nth + 1, seen.get()));
        ensure!(report.holds(), "the audit does not hold:\n{report}");
    }
    Ok(())
}

fn judge(stage: &Stage, guests: &[Guest<'_>], snapshot: &Snapshot, verdicts: &mut Verdicts) {
    for guest in guests {
        let (name, wrong) = (guest.cell.name(), wrong(guest, snapshot));
        let hit = stage.armed.hit(&name).is_some();
        match (wrong, &verdicts[&name]) {
            (Some(why), _) => drop(verdicts.insert(name, Verdict::Wrong(why))),
            (None, Verdict::Missed) if hit => drop(verdicts.insert(name, Verdict::Once)),
            (None, _) => {}
        }
    }
}

fn progress(total: usize) -> ProgressBar {
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

/// On a terminal above the bar, else alone.
fn say(bar: &ProgressBar, text: &str) {
    bar.set_message(text.to_owned());
    bar.suspend(|| eprintln!("{text}"));
}
