use std::{
    fmt,
    time::{Duration, Instant},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::{Reactions, Saga, Scenario};

/// The result of a search.
#[derive(Debug)]
pub struct Finding {
    /// The scenario that was played.
    pub scenario: &'static str,
    /// States that were reached, counted as often as they were reached.
    pub states: usize,
    /// Different states.
    pub unique: usize,
    /// The number of states on the longest path.
    pub depth: usize,
    /// How long the search took.
    pub took: Duration,
    /// The outcome of each property.
    pub properties: Vec<(&'static str, Outcome)>,
}

/// The outcome of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds in all states.
    Holds,
    /// It should be possible and is.
    Seen,
    /// It should be possible and is not.
    Impossible,
    /// It is unknown: the search ended early, because another property is broken.
    Open,
    /// It is broken. The lines are the steps of the shortest path to a state in which it is broken.
    Broken(Vec<String>),
}

impl Finding {
    /// Whether every property has the outcome that it should have.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.properties.iter().all(|(_, outcome)| matches!(outcome, Outcome::Holds | Outcome::Seen))
    }
}

/// A line for the search, a line for each property, and the steps to each broken property.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, states, unique, depth, took, properties } = self;
        let took = took.as_secs_f64();
        write!(f, "{scenario:<24}{states:>12}{unique:>12}{depth:>7}{took:>9.1}")?;
        for (name, outcome) in properties {
            write!(f, "\n  {outcome:<11}{name}")?;
            if let Outcome::Broken(story) = outcome {
                for (nth, line) in story.iter().enumerate() {
                    write!(f, "\n    {:>3}. {line}", nth + 1)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Seen => "possible",
            Self::Impossible => "IMPOSSIBLE",
            Self::Open => "open",
            Self::Broken(_) => "BROKEN",
        })
    }
}

/// Plays everything that can happen in a scenario, on this many threads. Ends early if a property is broken.
#[must_use]
pub fn search(scenario: &Scenario, reactions: &Reactions, threads: usize) -> Finding {
    let begin = Instant::now();
    let checker = Saga::new(scenario.clone(), reactions).checker().threads(threads);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let took = begin.elapsed();
    let found = checker.discoveries();
    let properties = checker.model().properties();
    let broken = properties.iter().any(|property| {
        property.expectation.discovery_is_failure() && found.contains_key(property.name)
    });
    let outcomes = properties.into_iter().map(|property| {
        let name = property.name;
        let outcome = match (property.expectation, found.get(name)) {
            (Expectation::Sometimes, Some(_)) => Outcome::Seen,
            (_, Some(path)) => {
                let longest = path.clone().into_states().len();
                let shorter = counterexample(scenario, reactions, name, longest);
                Outcome::Broken(shorter.unwrap_or_else(|| checker.model().tell(path)))
            }
            _ if broken => Outcome::Open,
            (Expectation::Sometimes, None) => Outcome::Impossible,
            (_, None) => Outcome::Holds,
        };
        (name, outcome)
    });
    Finding {
        scenario: scenario.name,
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        took,
        properties: outcomes.collect(),
    }
}

/// The steps of the shortest path to a state in which a property is broken, if there is one with fewer states than
/// this.
#[must_use]
pub fn counterexample(
    scenario: &Scenario,
    reactions: &Reactions,
    property: &'static str,
    mut states: usize,
) -> Option<Vec<String>> {
    let mut story = None;
    loop {
        // The search is repeated with ever smaller depths, because a search may keep a longer path than the
        // shortest one.
        let checker = Saga::new(scenario.clone(), reactions).checker().target_max_depth(states);
        let only = HasDiscoveries::AnyOf([property].into());
        let checker = checker.finish_when(only).spawn_bfs().join();
        let Some(path) = checker.discovery(property) else { return story };
        story = Some(checker.model().tell(&path));
        states = path.into_states().len();
    }
}
