//! Draws a schedule from a seed.

use std::time::Duration;

use clock::{Random as _, SeededRandom};

use super::{Action, Fault, Interruption, Schedule, Setting, Spot, Step, Then, apart};
use crate::simulation::{
    Actions,
    dice::{index, weighted},
};

/// The highest database operation at which an interruption may be drawn. A large batch takes about as many.
const OPERATIONS: u64 = 2_000;
/// The fewest steps of a run. Most steps find nothing to do, which costs little.
const STEPS: u64 = 150;
/// How many more steps a run may have.
const MORE_STEPS: u64 = 400;

/// The names of the services that a schedule is drawn for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    /// All services.
    pub(crate) all: Vec<&'static str>,
    /// The services that send requests to providers.
    pub(crate) asking: Vec<&'static str>,
    /// The services that set alarms.
    pub(crate) alarmed: Vec<&'static str>,
}

/// The frequencies of faults in a run, drawn from its seed. Each run has only some kinds of faults. With all faults all the
/// time, no aggregate would get far.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The setting of the run.
    pub setting: Setting,
    /// The weight of each service for taking steps. A service with a small weight lags behind the others.
    pub pace: Vec<u64>,
    /// The percentage of interruptible steps that are interrupted.
    pub interruptions: u64,
    /// The percentage of steps towards broker and providers that meet a fault.
    pub faults: u64,
    /// The weight of steps in which a group is set back to the beginning.
    pub rewinds: u64,
    /// The weight of steps in which many minutes pass.
    pub long_waits: u64,
    /// The weight of steps in which the clock is set back.
    pub set_backs: u64,
}

impl Profile {
    fn of(random: &SeededRandom, services: usize) -> Self {
        let pick = |choices: &[u64]| choices[index(random, choices.len())];
        let setting = Setting {
            partitions: 1 + i32::try_from(random.below(3)).unwrap_or(0),
            concurrency: index(random, 3) * 8 + 1,
            claim: Duration::from_secs(pick(&[15, 15, 1])),
            held_up: pick(&[10, 25, 60]),
            eager: pick(&[0, 20, 80]),
            poison: 0,
        };
        Self {
            setting,
            pace: (0..services).map(|_| pick(&[0, 4, 4, 8])).collect(),
            interruptions: pick(&[0, 2, 8, 20]),
            faults: pick(&[0, 30, 80]),
            rewinds: pick(&[0, 0, 1]),
            long_waits: pick(&[0, 0, 1, 3]),
            set_backs: pick(&[0, 0, 1]),
        }
    }
}

impl Schedule {
    /// Draws the schedule of a seed. `shape` may change the profile.
    pub(crate) fn draw(
        seed: u64,
        cast: &Cast,
        actions: &Actions,
        shape: impl FnOnce(&mut Profile),
    ) -> Self {
        let random = SeededRandom::new(seed);
        let mut profile = Profile::of(&random, cast.all.len());
        shape(&mut profile);
        let drawing = Drawing { random: &random, cast, actions, profile: &profile };
        let count = STEPS + random.below(MORE_STEPS);
        let mut steps: Vec<Step> = (0..count).map(|_| drawing.step()).collect();
        for _ in 0..=random.below(actions.openings) {
            // Stories open in the first half, so that they meet faults before these end.
            let nth = index(&random, steps.len() / 2);
            steps[nth] = steps[nth].doing(Action::Open(actions.opening));
        }
        let mut setting = profile.setting;
        apart::poison(seed, cast, &mut setting, &mut steps);
        apart::hold(seed, cast, &mut steps);
        apart::jump(seed, &mut steps);
        apart::withdraw(seed, cast, &mut steps);
        Self { seed, setting, steps }
    }
}

struct Drawing<'a> {
    random: &'a SeededRandom,
    cast: &'a Cast,
    actions: &'a Actions,
    profile: &'a Profile,
}

impl Drawing<'_> {
    fn step(&self) -> Step {
        let (random, action) = (self.random, self.action());
        let within = matches!(
            action,
            Action::ApplyBatch(_) | Action::Relay(_) | Action::Effects(_) | Action::Alarms(_)
        );
        let interrupted = within && random.below(100) < self.profile.interruptions;
        let interruption = interrupted.then(|| self.interruption(action));
        let outside = matches!(action, Action::Relay(_) | Action::Effects(_));
        let fault = (outside && random.below(100) < self.profile.faults)
            .then(|| [Fault::Refused, Fault::AnswerLost, Fault::Late][index(random, 3)]);
        Step { action, interruption, fault, seed: random.below(u64::MAX) }
    }

    fn interruption(&self, action: Action) -> Interruption {
        let random = self.random;
        let spot = match random.below(4) {
            0 => Spot::Operation(1 + random.below(OPERATIONS)),
            // Small numbers are drawn more often, because most steps have few operations.
            1 => Spot::Operation(1 + random.below(1 + random.below(OPERATIONS))),
            2 => Spot::Commit(1 + random.below(2)),
            _ => Spot::End,
        };
        let gives_up = matches!(action, Action::ApplyBatch(_)) && random.below(2) == 0;
        Interruption { spot, then: if gives_up { Then::GiveUp } else { Then::Crash } }
    }

    /// Draws one of these services, with the weights of their pace.
    fn one_of(&self, services: &[&'static str]) -> Option<&'static str> {
        let pace = |name: &&str| {
            let nth = self.cast.all.iter().position(|other| other == name);
            nth.and_then(|nth| self.profile.pace.get(nth)).copied().unwrap_or(0)
        };
        let weights: Vec<u64> = services.iter().map(pace).collect();
        weighted(self.random, &weights).map(|nth| services[nth])
    }

    fn action(&self) -> Action {
        let (random, profile) = (self.random, self.profile);
        let service = self.one_of(&self.cast.all);
        let asking = self.one_of(&self.cast.asking);
        let alarmed = self.one_of(&self.cast.alarmed);
        let short = Duration::from_millis(1 + random.below(1 + random.below(20_000)));
        let long = Duration::from_millis(1 + random.below(1_500_000));
        let choices = [
            (90, service.map(Action::ApplyBatch)),
            (45, service.map(Action::Relay)),
            (30, asking.map(Action::Effects)),
            (4, alarmed.map(Action::Alarms)),
            (8, service.map(Action::Offsets)),
            (1, service.map(Action::Stop)),
            (profile.rewinds, service.map(Action::Rewind)),
            (3, Some(Action::Arrive)),
            (8, Some(Action::Pass(short))),
            (profile.long_waits, Some(Action::Pass(long))),
            (profile.set_backs, Some(Action::SetBack(long / 20))),
        ];
        let of_workload = self.actions.others.iter();
        let of_workload = of_workload.map(|other| (other.weight, Action::Ask(other.name)));
        let possible = choices.into_iter().filter_map(|(weight, action)| Some((weight, action?)));
        let choices: Vec<(u64, Action)> = possible.chain(of_workload).collect();
        let weights: Vec<u64> = choices.iter().map(|(weight, _)| *weight).collect();
        weighted(random, &weights).map_or(Action::Pass(short), |nth| choices[nth].1)
    }
}
