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

/// How long an order may take to be paid, until the first deadline, and from there.
struct Deadlines {
    paid: &'static str,
    first: &'static str,
    second: &'static str,
}

impl Deadlines {
    /// Those that this story is about; the others do not pass.
    fn of(story: Story) -> Self {
        let calm = Self { paid: NEVER, first: NEVER, second: NEVER };
        match story {
            Story::Unpaid => Self { paid: SOON, ..calm },
            Story::Overdue => Self { first: SOON, second: AT_ONCE, ..calm },
            _ => calm,
        }
    }

    fn variables(&self) -> [(&'static str, &'static str); 3] {
        [
            ("QUINTET_ORDER__DEADLINES__PAID", self.paid),
            ("QUINTET_ORDER__DEADLINES__FIRST", self.first),
            ("QUINTET_ORDER__DEADLINES__SECOND", self.second),
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
    let late = [Story::Unpaid, Story::Overdue];
    let by = |cell: &Cell, story: Story| cell.reach == Reach::By(story);
    let calm: Vec<&Cell> =
        cells.iter().filter(|cell| !late.iter().any(|story| by(cell, *story))).collect();
    if !calm.is_empty() {
        let stage = Stage::start(backend, &Deadlines::of(Story::Completed).variables())?;
        rounds(&stage, &calm, &FLOWS, (&mut verdicts, &bar)).await?;
    }
    for story in late {
        let hasty: Vec<&Cell> = cells.iter().filter(|cell| by(cell, story)).collect();
        if !hasty.is_empty() {
            let stage = Stage::start(backend, &Deadlines::of(story).variables())?;
            rounds(&stage, &hasty, &[Flow::Live], (&mut verdicts, &bar)).await?;
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
