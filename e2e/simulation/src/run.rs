//! One run: its schedule, then the way to rest, then the verdict.

use anyhow::Result;
use audit::Snapshot;

use crate::{
    databases::Databases,
    schedule::{Action, Schedule, Step, Voice},
    story::Line,
    suite::{A_WHILE, Suite},
};

/// Rounds until everything must have come to rest.
const ROUNDS: u64 = 400;
/// Rounds in which nothing happens, in a row, until it counts as stuck.
const PATIENCE: u32 = 15;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened.
    pub story: Vec<Line>,
    /// What is not as it must be: the number of the invariant, or `stopped`; a colon; what it is.
    pub failure: Option<String>,
}

impl Run {
    /// Which invariant it breaks, as far as it breaks one.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.failure.as_deref().map(|failure| failure.split(':').next().unwrap_or(failure))
    }
}

/// Plays a schedule.
///
/// # Errors
/// If the databases cannot be used.
pub async fn run(databases: &Databases, schedule: &Schedule) -> Result<Run> {
    // On the heap: five engines are too large for every future around them.
    let mut suite = Box::new(Box::pin(Suite::open(databases, schedule.setting)).await?);
    let failure = match play(&mut suite, schedule).await {
        Ok(failure) => failure,
        // A service that must not go on, or cannot.
        Err(error) => Some(format!("stopped: {error:#}")),
    };
    Ok(Run { story: suite.story, failure })
}

async fn play(suite: &mut Suite, schedule: &Schedule) -> Result<Option<String>> {
    for (nth, step) in schedule.steps.iter().enumerate() {
        suite.play(nth, step).await?;
        if let Some(wrong) = suite.stage.take_wrong() {
            return Ok(Some(wrong));
        }
    }
    let after = schedule.steps.len();
    suite.tell(after, "", "from here on nothing fails".to_owned());
    suite.stage.clock.set(suite.latest);
    for voice in Voice::ALL {
        suite.allow(voice, true);
    }
    if let Some(wrong) = rest(suite, after).await? {
        return Ok(Some(wrong));
    }
    // Nothing that arrives now may make a difference.
    while suite.world.arrive() {}
    suite.world.check();
    if let Some(wrong) = suite.stage.take_wrong() {
        return Ok(Some(wrong));
    }
    let snapshot = suite.snapshot().await?;
    Ok(suite.judge(&snapshot))
}

/// Drives everything until nothing happens any more; what goes wrong on the way.
async fn rest(suite: &mut Suite, after: usize) -> Result<Option<String>> {
    let mut idle = 0;
    for round in 0..ROUNDS {
        let mut did = false;
        for action in round_of_all() {
            let step = Step { action, broken: None, trouble: None, seed: round };
            did |= suite.play(after, &step).await?;
            if let Some(wrong) = suite.stage.take_wrong() {
                return Ok(Some(wrong));
            }
        }
        if did {
            idle = 0;
            continue;
        }
        for voice in Voice::ALL {
            let action = Action::Replay(voice);
            let step = Step { action, broken: None, trouble: None, seed: round };
            did |= suite.play(after, &step).await?;
        }
        suite.client.lose_patience();
        for told in [suite.repeat().await?, suite.retry_refunds().await?].into_iter().flatten() {
            suite.tell(after, "customer", told);
            did = true;
        }
        idle += 1;
        if !did && (idle > PATIENCE || suite.is_quiet().await?) {
            break;
        }
        suite.stage.clock.advance(A_WHILE);
    }
    Ok(None)
}

/// Everybody has a turn at everything.
fn round_of_all() -> Vec<Action> {
    let mut round = vec![Action::Alarms(Voice::Order)];
    round.extend(Voice::ALL.map(Action::Turn));
    round.extend(Voice::ASKING.map(Action::Effects));
    round.extend(Voice::ASKING.map(Action::Turn));
    round.extend(Voice::ALL.map(Action::Relay));
    round.extend(Voice::ALL.map(Action::Offsets));
    round
}

impl Suite {
    async fn is_quiet(&mut self) -> Result<bool> {
        for voice in Voice::ALL {
            if !self.voice(voice).status().await?.is_quiet() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everything that is known.
    async fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = Snapshot { ledger: self.world.ledger()?, ..Snapshot::default() };
        for voice in Voice::ALL {
            let voice = self.voice(voice);
            voice.rows(&mut snapshot).await?;
            let status = voice.status().await?;
            snapshot.status.insert(voice.name().to_owned(), status);
        }
        Ok(snapshot)
    }
}
