//! A run: it plays the schedule, brings the saga to rest without faults, and checks the invariants.

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

/// The most rounds until the run must be at rest.
const ROUNDS: u64 = 400;
/// After so many idle rounds in a row the run counts as stuck.
const PATIENCE: u32 = 15;
/// The time that passes after an idle round. It is longer than claims and pauses last, and much shorter than the deadlines
/// of a saga.
const A_WHILE: Duration = Duration::from_secs(20);

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The story: a line for each step in which something happened.
    pub story: Vec<Line>,
    /// The invariant that does not hold, if there is one.
    pub failure: Option<Failure>,
}

impl Run {
    /// The name of the invariant that does not hold.
    #[must_use]
    pub fn broken(&self) -> Option<&'static str> {
        self.failure.as_ref().map(|failure| failure.invariant)
    }
}

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// Plays a schedule on these databases, brings the saga to rest, and checks all invariants.
    ///
    /// # Errors
    /// If the simulation itself is not complete, or the databases cannot be used.
    pub async fn play(&self, databases: &Databases, schedule: &Schedule) -> Result<Run> {
        // The system is on the heap: the engines in it would make each future around them large.
        let mut system = Box::new(Box::pin(System::open(self, databases, schedule)).await?);
        let failure = match Box::pin(system.play_all(schedule)).await {
            Ok(failure) => failure,
            // A service cannot go on. That is a failure of the saga, and none of the simulation.
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
        // Requests that are still late arrive now. They must change nothing, since all of them are settled.
        while self.providers.arrive() {}
        self.check_rest().await
    }

    /// Plays rounds until nothing happens any more. Returns the first invariant that does not hold meanwhile.
    async fn rest(&mut self, after: usize) -> Result<Option<Failure>> {
        let mut idle = 0;
        for seed in 0..ROUNDS {
            let mut active = false;
            for action in self.round() {
                let step = Step { action, interruption: None, fault: None, seed };
                let played = self.play(after, &step).await?;
                if played.failure.is_some() {
                    return Ok(played.failure);
                }
                active |= played.active;
            }
            if active {
                idle = 0;
                continue;
            }
            // Nothing happens by itself: operators replay dead letters, and customers ask again.
            for name in self.cast.all.clone() {
                let step =
                    Step { action: Action::Replay(name), interruption: None, fault: None, seed };
                active |= self.play(after, &step).await?.active;
            }
            active |= self.insist(after).await?;
            idle += 1;
            if !active && (idle > PATIENCE || self.is_quiet().await?) {
                break;
            }
            self.environment.pass(A_WHILE);
        }
        Ok(None)
    }

    /// A round: every service takes every kind of step.
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
