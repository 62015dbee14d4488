use std::{
    fmt,
    time::{Duration, Instant},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::{Reactions, Saga, Scenario};

/// What a search has found.
#[derive(Debug)]
pub struct Finding {
    /// What was played.
    pub scenario: &'static str,
    /// States that were come to, each as often as it was.
    pub states: usize,
    /// States.
    pub unique: usize,
    /// States on the longest way that was gone.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What became of each property.
    pub properties: Vec<(&'static str, Verdict)>,
}

/// What became of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds in all states.
    Holds,
    /// What should be possible is.
    Seen,
    /// What should be possible is not.
    Impossible,
    /// The search ended before all states were seen: something else is broken.
    Open,
    /// It is broken: the shortest way to where that shows, a line a step.
    Broken(Vec<String>),
}

impl Finding {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.properties.iter().all(|(_, verdict)| matches!(verdict, Verdict::Holds | Verdict::Seen))
    }
}

/// One line for the search, one for each property, and the story of what is broken.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, states, unique, depth, took, properties } = self;
        let took = took.as_secs_f64();
        write!(f, "{scenario:<24}{states:>12}{unique:>12}{depth:>7}{took:>9.1}")?;
        for (name, verdict) in properties {
            write!(f, "\n  {verdict:<11}{name}")?;
            if let Verdict::Broken(story) = verdict {
                for (nth, line) in story.iter().enumerate() {
                    write!(f, "\n    {:>3}. {line}", nth + 1)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
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

/// Plays everything that can happen in a scenario, on so many threads. Ends early where something is
/// broken.
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
    let verdicts = properties.into_iter().map(|property| {
        let name = property.name;
        let verdict = match (property.expectation, found.get(name)) {
            (Expectation::Sometimes, Some(_)) => Verdict::Seen,
            (_, Some(path)) => {
                let longest = path.clone().into_states().len();
                let shorter = counterexample(scenario, reactions, name, longest);
                Verdict::Broken(shorter.unwrap_or_else(|| checker.model().tell(path)))
            }
            _ if broken => Verdict::Open,
            (Expectation::Sometimes, None) => Verdict::Impossible,
            (_, None) => Verdict::Holds,
        };
        (name, verdict)
    });
    Finding {
        scenario: scenario.name,
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        took,
        properties: verdicts.collect(),
    }
}

/// The shortest way to where a property is broken, if one has fewer states than this: a line a step.
#[must_use]
pub fn counterexample(
    scenario: &Scenario,
    reactions: &Reactions,
    property: &'static str,
    mut states: usize,
) -> Option<Vec<String>> {
    let mut story = None;
    loop {
        // Alone, a thread goes by depth; what it finds last within a stretch is what it keeps.
        let checker = Saga::new(scenario.clone(), reactions).checker().target_max_depth(states);
        let only = HasDiscoveries::AnyOf([property].into());
        let checker = checker.finish_when(only).spawn_bfs().join();
        let Some(path) = checker.discovery(property) else { return story };
        story = Some(checker.model().tell(&path));
        states = path.into_states().len();
    }
}
