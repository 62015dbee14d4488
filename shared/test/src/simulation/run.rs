//! One run: its schedule, then the way to rest, then the verdict.

use std::time::Duration;

use anyhow::Result;

use super::{
    Databases, Failure, Simulation,
    providers::Providers,
    schedule::{Action, Schedule, Step},
    story::Line,
    system::System,
    workload::Workload,
};

/// Rounds until everything must have come to rest.
const ROUNDS: u64 = 400;
/// Rounds in which nothing happens, in a row, until the run counts as stuck.
const PATIENCE: u32 = 15;
/// What passes between two such rounds: long enough that claims end and every pause is over, and short beside the
/// alarms of a saga.
const A_WHILE: Duration = Duration::from_secs(20);

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened.
    pub story: Vec<Line>,
    /// What is not as it must be.
    pub failure: Option<Failure>,
}

impl Run {
    /// The name of the invariant that it breaks, if it breaks one.
    #[must_use]
    pub fn broken(&self) -> Option<&'static str> {
        self.failure.as_ref().map(|failure| failure.invariant)
    }
}

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// Plays a schedule on these databases, drives everything to rest, and checks all invariants.
    ///
    /// # Errors
    /// If the simulation itself is not complete, or the databases cannot be used.
    pub async fn play(&self, databases: &Databases, schedule: &Schedule) -> Result<Run> {
        // On the heap: the engines are too large for every future around them.
        let mut system = Box::new(Box::pin(System::open(self, databases, schedule)).await?);
        let failure = match Box::pin(system.play_all(schedule)).await {
            Ok(failure) => failure,
            // A service must not go on, or cannot.
            Err(error) => Some(Failure { invariant: Failure::STOPPED, what: format!("{error:#}") }),
        };
        Ok(Run { story: system.story, failure })
    }
}

impl<P: Providers, W: Workload> System<'_, P, W> {
    async fn play_all(&mut self, schedule: &Schedule) -> Result<Option<Failure>> {
        for (nth, step) in schedule.steps.iter().enumerate() {
            let played = self.play(nth, step).await?;
            if played.failure.is_some() {
                return Ok(played.failure);
            }
        }
        let after = schedule.steps.len();
        self.tell(after, "", "from here on nothing fails".to_owned());
        self.end_faults();
        if let Some(failure) = self.rest(after).await? {
            return Ok(Some(failure));
        }
        // Nothing that arrives now may make a difference.
        while self.providers.arrive() {}
        self.check_rest().await
    }

    /// Drives everything until nothing happens any more; what goes wrong on the way.
    async fn rest(&mut self, after: usize) -> Result<Option<Failure>> {
        let mut idle = 0;
        for seed in 0..ROUNDS {
            let mut did = false;
            for action in self.round() {
                let step = Step { action, interruption: None, fault: None, seed };
                let played = self.play(after, &step).await?;
                if played.failure.is_some() {
                    return Ok(played.failure);
                }
                did |= played.did;
            }
            if did {
                idle = 0;
                continue;
            }
            for name in self.cast.all.clone() {
                let step =
                    Step { action: Action::Replay(name), interruption: None, fault: None, seed };
                did |= self.play(after, &step).await?.did;
            }
            did |= self.insist(after).await?;
            idle += 1;
            if !did && (idle > PATIENCE || self.is_quiet().await?) {
                break;
            }
            self.environment.pass(A_WHILE);
        }
        Ok(None)
    }

    /// Every service has a turn at everything.
    fn round(&self) -> Vec<Action> {
        let (all, asking) = (&self.cast.all, &self.cast.asking);
        let mut round: Vec<Action> =
            self.cast.alarmed.iter().map(|name| Action::Alarms(name)).collect();
        round.extend(all.iter().map(|name| Action::ApplyBatch(name)));
        round.extend(asking.iter().map(|name| Action::Effects(name)));
        round.extend(asking.iter().map(|name| Action::ApplyBatch(name)));
        round.extend(all.iter().map(|name| Action::Relay(name)));
        round.extend(all.iter().map(|name| Action::Offsets(name)));
        round
    }
}
