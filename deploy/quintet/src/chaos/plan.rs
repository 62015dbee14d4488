//! The strikes of a chaos run: a pure function of the seed, the processes of the suite and the possible kinds of actions.
//!
//! A seed must mean the same strikes in every release, or a failure that a user reports could not be played again. So the
//! order in which numbers are drawn here must not change.

use super::action::{Action, ActionKind, Fault, Provider};
use clock::{Random, SeededRandom};
use quintet_suite::{Component, Member, Suite};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The time between two strikes, in milliseconds as all ranges below.
const APART: RangeInclusive<u64> = 500..=2_500;
/// How long a process is stopped. The longest pauses exceed the session time-out of a Kafka group.
const PAUSE: RangeInclusive<u64> = 200..=8_000;
/// How long a provider is out of service.
const OUTAGE: RangeInclusive<u64> = 500..=6_000;
/// How long a provider is slow and fails some requests.
const FAULTS: RangeInclusive<u64> = 2_000..=8_000;
/// The longest time that a slow provider takes to answer.
const LATENCY: u64 = 300;
/// The largest share of requests that a failing provider fails, in per cent.
const ERRORS: u64 = 50;
/// The largest share of answers that a failing provider loses, in per cent.
const LOST_ANSWERS: u64 = 30;
/// The shortest time between two restarts of a server. Without it a server would hardly ever be up.
const SERVERS_APART: Duration = Duration::from_secs(20);
/// The relative frequency of each kind.
const WEIGHTS: [(ActionKind, u64); 7] = [
    (ActionKind::Kill, 8),
    (ActionKind::Pause, 3),
    (ActionKind::Restart, 3),
    (ActionKind::Outage, 2),
    (ActionKind::Faults, 2),
    (ActionKind::Kafka, 2),
    (ActionKind::Postgres, 2),
];

/// The processes that can be struck, and the kinds of actions that are possible.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    /// All processes, those of the services first.
    pub(super) members: Vec<Member>,
    /// The components that are providers.
    pub(super) providers: BTreeSet<Component>,
    pub(super) possible: BTreeSet<ActionKind>,
}

impl Targets {
    /// All processes of a suite.
    pub(super) fn of(suite: &Suite, possible: BTreeSet<ActionKind>) -> Self {
        let providers = suite.providers.keys().copied().collect();
        Self { members: suite.members().collect(), providers, possible }
    }

    /// The services and providers, each once, however many replicas it has.
    fn components(&self) -> Vec<Component> {
        let first = self.members.iter().filter(|member| member.nth == 0);
        first.map(|member| member.component).collect()
    }
}

/// An action with the time at which it is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strike {
    /// The time since the beginning of the run.
    pub(super) at: Duration,
    pub(super) action: Action,
}

/// The endless sequence of strikes that a seed means.
pub(super) struct Plan {
    random: SeededRandom,
    targets: Targets,
    now: Duration,
    last_restarts: BTreeMap<ActionKind, Duration>,
}

impl Plan {
    pub(super) fn new(seed: u64, targets: Targets) -> Self {
        let random = SeededRandom::new(seed);
        Self { random, targets, now: Duration::ZERO, last_restarts: BTreeMap::new() }
    }

    /// Draws a kind of those that are possible now. `None` if there is none.
    fn draw_kind(&mut self) -> Option<ActionKind> {
        let is_too_soon = |kind: &ActionKind| {
            self.last_restarts.get(kind).is_some_and(|last| self.now < *last + SERVERS_APART)
        };
        let may_be_drawn = |(kind, _): &&(ActionKind, u64)| {
            self.targets.possible.contains(kind) && !is_too_soon(kind)
        };
        let candidates: Vec<_> = WEIGHTS.iter().filter(may_be_drawn).collect();
        let mut drawn = self.random.below(candidates.iter().map(|(_, weight)| weight).sum());
        let (kind, _) = candidates.into_iter().find(|(_, weight)| {
            let found = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            found
        })?;
        if matches!(kind, ActionKind::Kafka | ActionKind::Postgres) {
            self.last_restarts.insert(*kind, self.now);
        }
        Some(*kind)
    }

    fn draw_action(&self, kind: ActionKind) -> Action {
        match kind {
            ActionKind::Kill => Action::Kill(self.victims()),
            ActionKind::Pause => {
                Action::Pause(self.one_of(&self.targets.members), self.millis(&PAUSE))
            }
            ActionKind::Restart => Action::Restart(self.one_of(&self.targets.components())),
            ActionKind::Outage => {
                Action::ProviderFault(self.provider(), Fault::Outage, self.millis(&OUTAGE))
            }
            ActionKind::Faults => {
                Action::ProviderFault(self.provider(), self.fault(), self.millis(&FAULTS))
            }
            ActionKind::Kafka => Action::RestartKafka,
            ActionKind::Postgres => Action::RestartPostgres,
        }
    }

    /// In six of ten cases one process, in three two or three, in one all processes of the services.
    fn victims(&self) -> Vec<Member> {
        let count = match self.random.below(10) {
            0 => {
                let is_of_service =
                    |member: &Member| !self.targets.providers.contains(&member.component);
                return self.targets.members.iter().copied().filter(is_of_service).collect();
            }
            1..=3 => 2 + self.random.below(2),
            _ => 1,
        };
        let (mut left, mut victims) = (self.targets.members.clone(), Vec::new());
        for _ in 0..count {
            victims.push(left.remove(self.index(left.len())));
        }
        victims.sort_by_key(|victim| self.targets.members.iter().position(|it| it == victim));
        victims
    }

    fn fault(&self) -> Fault {
        Fault::Knobs {
            latency_ms: self.random.below(LATENCY + 1),
            errors: self.random.below(ERRORS + 1),
            lost_answers: self.random.below(LOST_ANSWERS + 1),
        }
    }

    fn provider(&self) -> Provider {
        self.one_of(&Provider::ALL)
    }

    fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[self.index(all.len())]
    }

    fn index(&self, below: usize) -> usize {
        usize::try_from(self.random.below(below as u64)).unwrap_or_default()
    }

    fn millis(&self, range: &RangeInclusive<u64>) -> Duration {
        Duration::from_millis(range.start() + self.random.below(range.end() - range.start() + 1))
    }
}

impl Iterator for Plan {
    type Item = Strike;

    fn next(&mut self) -> Option<Strike> {
        self.now += self.millis(&APART);
        let kind = self.draw_kind()?;
        Some(Strike { at: self.now, action: self.draw_action(kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite_of_test;
    use super::*;

    const ALL: [ActionKind; 7] = [
        ActionKind::Kill,
        ActionKind::Pause,
        ActionKind::Restart,
        ActionKind::Outage,
        ActionKind::Faults,
        ActionKind::Kafka,
        ActionKind::Postgres,
    ];

    fn strikes(seed: u64, targets: &Targets) -> Vec<Strike> {
        Plan::new(seed, targets.clone()).take(2_000).collect()
    }

    fn targets(replicas: usize, possible: &[ActionKind]) -> Targets {
        Targets::of(&suite_of_test(replicas), possible.iter().copied().collect())
    }

    #[test]
    fn a_seed_means_the_same_strikes_and_another_means_others() {
        let all = targets(2, &ALL);
        assert_eq!(strikes(7, &all), strikes(7, &all));
        assert_ne!(strikes(7, &all), strikes(8, &all));
        let first: Vec<String> = strikes(1, &targets(1, &ALL))[..4]
            .iter()
            .map(|strike| strike.action.to_string())
            .collect();
        assert_eq!(first, EXPECTED, "a seed must mean the same strikes in every release");
    }

    const EXPECTED: [&str; 4] = [
        "the payment gateway takes 224 ms, fails 9 % and loses 18 % of its answers for 7.92 s",
        "kill -9 order, payment, shipping",
        "kill -9 payment",
        "the payment gateway is out for 4.86 s",
    ];

    #[test]
    fn every_possible_kind_is_drawn_and_no_other() {
        let drawn = |targets: &Targets| -> BTreeSet<ActionKind> {
            strikes(1, targets).iter().map(|strike| strike.action.kind()).collect()
        };
        assert_eq!(drawn(&targets(1, &ALL)), ALL.into());
        let by_sandbox = [ActionKind::Outage, ActionKind::Faults];
        assert_eq!(drawn(&targets(1, &by_sandbox)), by_sandbox.into());
        assert!(strikes(1, &targets(1, &[])).is_empty());
    }

    #[test]
    fn every_process_is_killed_alone_and_all_services_at_once() {
        let strikes = strikes(1, &targets(3, &[ActionKind::Kill]));
        let kills = |victims: &[Member]| {
            let kills = |action: &Action| matches!(action, Action::Kill(hit) if hit == victims);
            strikes.iter().any(|strike| kills(&strike.action))
        };
        let all: Vec<Member> = suite_of_test(3).members().collect();
        assert!(all.iter().all(|member| kills(std::slice::from_ref(member))));
        assert!(kills(&all[..15]), "three replicas of five services, without the sandbox");
        let distinct = |strike: &Strike| match &strike.action {
            Action::Kill(victims) => {
                let places = victims.iter().map(|it| all.iter().position(|other| other == it));
                places.collect::<Vec<_>>().windows(2).all(|pair| pair[0] < pair[1])
            }
            _ => false,
        };
        assert!(strikes.iter().all(distinct));
    }

    #[test]
    fn strikes_are_apart_and_restarts_of_a_server_are_further_apart() {
        let strikes = strikes(3, &targets(1, &ALL));
        let apart = |pair: &[Duration]| pair[1].checked_sub(pair[0]).expect("in order");
        let times: Vec<Duration> = strikes.iter().map(|strike| strike.at).collect();
        let within = |pair: &[Duration]| (500..=2_500).contains(&apart(pair).as_millis());
        assert!(times.windows(2).all(within));
        for server in [Action::RestartKafka, Action::RestartPostgres] {
            let restarts = strikes.iter().filter(|strike| strike.action == server);
            let restarts: Vec<Duration> = restarts.map(|strike| strike.at).collect();
            assert!(restarts.windows(2).all(|pair| apart(pair) >= SERVERS_APART));
            assert!(restarts.len() > 20, "{server}");
        }
    }
}
