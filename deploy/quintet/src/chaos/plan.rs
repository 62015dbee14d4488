//! What is struck, and when: a pure function of the seed, of who takes part and of what can be reached.

use super::act::{Act, Fault, Kind, Provider};
use clock::{Random, SeededRandom};
use quintet_suite::{Component, Member, Suite};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Milliseconds between two strikes, from and to.
const APART: (u64, u64) = (500, 2_500);
/// How long a process hangs: up to longer than a Kafka group waits for a member.
const PAUSE: (u64, u64) = (200, 8_000);
/// How long a provider is out, and how long it misbehaves.
const OUTAGE: (u64, u64) = (500, 6_000);
const FAULTS: (u64, u64) = (2_000, 8_000);
/// A provider's answer takes so long at most.
const LATENCY: u64 = 300;
/// Per cent of a misbehaving provider's requests, at most.
const ERRORS: u64 = 50;
const LOST_ANSWERS: u64 = 30;
/// Between two restarts of a server, or it would be down all the time.
const SERVERS_APART: Duration = Duration::from_secs(20);
/// How often each is drawn.
const WEIGHTS: [(Kind, u64); 7] = [
    (Kind::Kill, 8),
    (Kind::Pause, 3),
    (Kind::Restart, 3),
    (Kind::Outage, 2),
    (Kind::Faults, 2),
    (Kind::Kafka, 2),
    (Kind::Postgres, 2),
];

/// Who takes part, and what can be done to them.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    /// The processes, those of the services first.
    pub(super) members: Vec<Member>,
    /// Those of them that play the outside world.
    pub(super) providers: BTreeSet<Component>,
    pub(super) reach: BTreeSet<Kind>,
}

impl Cast {
    /// All of a suite, of which this can be reached.
    pub(super) fn of(suite: &Suite, reach: BTreeSet<Kind>) -> Self {
        let providers = suite.providers.keys().copied().collect();
        Self { members: suite.members().collect(), providers, reach }
    }

    /// The services and providers, each once.
    fn components(&self) -> Vec<Component> {
        let first = self.members.iter().filter(|member| member.nth == 0);
        first.map(|member| member.component).collect()
    }
}

/// Something that is done to the suite.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strike {
    /// Counted from the beginning.
    pub(super) at: Duration,
    pub(super) act: Act,
}

/// The strikes of a seed, without end.
pub(super) struct Plan {
    random: SeededRandom,
    cast: Cast,
    now: Duration,
    restarted: BTreeMap<Kind, Duration>,
}

impl Plan {
    pub(super) fn new(seed: u64, cast: Cast) -> Self {
        let random = SeededRandom::new(seed);
        Self { random, cast, now: Duration::ZERO, restarted: BTreeMap::new() }
    }

    /// One that may be done now.
    fn kind(&mut self) -> Option<Kind> {
        let rests = |kind: &Kind| {
            self.restarted.get(kind).is_some_and(|last| self.now < *last + SERVERS_APART)
        };
        let may = |(kind, _): &&(Kind, u64)| self.cast.reach.contains(kind) && !rests(kind);
        let possible: Vec<_> = WEIGHTS.iter().filter(may).collect();
        let mut drawn = self.random.below(possible.iter().map(|(_, weight)| weight).sum());
        let (kind, _) = possible.into_iter().find(|(_, weight)| {
            let found = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            found
        })?;
        if matches!(kind, Kind::Kafka | Kind::Postgres) {
            self.restarted.insert(*kind, self.now);
        }
        Some(*kind)
    }

    fn act(&self, kind: Kind) -> Act {
        match kind {
            Kind::Kill => Act::Kill(self.victims()),
            Kind::Pause => Act::Pause(self.one_of(&self.cast.members), self.millis(PAUSE)),
            Kind::Restart => Act::Restart(self.one_of(&self.cast.components())),
            Kind::Outage => Act::Trouble(self.provider(), Fault::Outage, self.millis(OUTAGE)),
            Kind::Faults => Act::Trouble(self.provider(), self.fault(), self.millis(FAULTS)),
            Kind::Kafka => Act::RestartKafka,
            Kind::Postgres => Act::RestartPostgres,
        }
    }

    /// Mostly one, sometimes two or three at once, now and then every service.
    fn victims(&self) -> Vec<Member> {
        let count = match self.random.below(10) {
            0 => {
                let services = |it: &Member| !self.cast.providers.contains(&it.component);
                return self.cast.members.iter().copied().filter(services).collect();
            }
            1..=3 => 2 + self.random.below(2),
            _ => 1,
        };
        let (mut left, mut victims) = (self.cast.members.clone(), Vec::new());
        for _ in 0..count {
            victims.push(left.remove(self.index(left.len())));
        }
        victims.sort_by_key(|victim| self.cast.members.iter().position(|it| it == victim));
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

    fn millis(&self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.random.below(most - least + 1))
    }
}

impl Iterator for Plan {
    type Item = Strike;

    fn next(&mut self) -> Option<Strike> {
        self.now += self.millis(APART);
        let kind = self.kind()?;
        Some(Strike { at: self.now, act: self.act(kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite_of_test;
    use super::*;

    const ALL: [Kind; 7] = [
        Kind::Kill,
        Kind::Pause,
        Kind::Restart,
        Kind::Outage,
        Kind::Faults,
        Kind::Kafka,
        Kind::Postgres,
    ];

    fn strikes(seed: u64, cast: &Cast) -> Vec<Strike> {
        Plan::new(seed, cast.clone()).take(2_000).collect()
    }

    fn cast(replicas: usize, reach: &[Kind]) -> Cast {
        Cast::of(&suite_of_test(replicas), reach.iter().copied().collect())
    }

    #[test]
    fn a_seed_means_the_same_strikes_and_another_means_others() {
        let all = cast(2, &ALL);
        assert_eq!(strikes(7, &all), strikes(7, &all));
        assert_ne!(strikes(7, &all), strikes(8, &all));
        let first: Vec<String> =
            strikes(1, &cast(1, &ALL))[..4].iter().map(|it| it.act.to_string()).collect();
        assert_eq!(first, EXPECTED, "a seed means the same in every release");
    }

    const EXPECTED: [&str; 4] = [
        "the payment gateway takes 224 ms, fails 9 % and loses 18 % of its answers for 7.92 s",
        "kill -9 order, payment, shipping",
        "kill -9 payment",
        "the payment gateway is out for 4.86 s",
    ];

    #[test]
    fn everything_that_can_be_reached_is_struck_and_nothing_else() {
        let seen = |cast: &Cast| -> BTreeSet<Kind> {
            strikes(1, cast).iter().map(|strike| strike.act.kind()).collect()
        };
        assert_eq!(seen(&cast(1, &ALL)), ALL.into());
        let outside = [Kind::Outage, Kind::Faults];
        assert_eq!(seen(&cast(1, &outside)), outside.into());
        assert!(strikes(1, &cast(1, &[])).is_empty());
    }

    #[test]
    fn every_process_is_killed_alone_and_all_services_at_once() {
        let strikes = strikes(1, &cast(3, &[Kind::Kill]));
        let kills = |victims: &[Member]| {
            strikes.iter().any(|strike| matches!(&strike.act, Act::Kill(hit) if hit == victims))
        };
        let all: Vec<Member> = suite_of_test(3).members().collect();
        assert!(all.iter().all(|member| kills(std::slice::from_ref(member))));
        assert!(kills(&all[..15]), "all but the outside world");
        let distinct = |strike: &Strike| match &strike.act {
            Act::Kill(victims) => {
                let places = victims.iter().map(|it| all.iter().position(|other| other == it));
                places.collect::<Vec<_>>().windows(2).all(|pair| pair[0] < pair[1])
            }
            _ => false,
        };
        assert!(strikes.iter().all(distinct));
    }

    #[test]
    fn strikes_come_one_after_the_other_and_a_server_has_time_between_two_restarts() {
        let strikes = strikes(3, &cast(1, &ALL));
        let apart = |pair: &[Duration]| pair[1].checked_sub(pair[0]).expect("in order");
        let times: Vec<Duration> = strikes.iter().map(|strike| strike.at).collect();
        let within = |pair: &[Duration]| (500..=2_500).contains(&apart(pair).as_millis());
        assert!(times.windows(2).all(within));
        for server in [Act::RestartKafka, Act::RestartPostgres] {
            let restarts = strikes.iter().filter(|it| it.act == server);
            let restarts: Vec<Duration> = restarts.map(|strike| strike.at).collect();
            assert!(restarts.windows(2).all(|pair| apart(pair) >= SERVERS_APART));
            assert!(restarts.len() > 20, "{server}");
        }
    }
}
