//! The walks.

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    actions::{Bug, Walk},
    state::Budget,
};
use crate::outbox::{Change, Ownership};

const BUDGET: Budget = Budget {
    events: 3,
    starts: 3,
    deaths: 1,
    unknown_commits: 1,
    failed_sends: 1,
    lost_results: 1,
};

/// The violated properties, each with the shortest story.
fn violations(budget: Budget, bug: Option<Bug>) -> Vec<String> {
    let walk = Walk { budget, bug };
    let checker = walk.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.timeout(std::time::Duration::from_secs(60)).spawn_bfs().join();
    eprintln!("{bug:?}: {} states", checker.unique_state_count());
    let mut violations = Vec::new();
    for property in checker.model().properties() {
        let discovery = checker.discovery(property.name);
        let violated = match property.expectation {
            stateright::Expectation::Sometimes => discovery.is_none(),
            _ => discovery.is_some(),
        };
        if violated {
            let story = discovery.map(|path| format!("{:?}", path.into_actions()));
            violations.push(format!("{}: {}", property.name, story.unwrap_or_default()));
        }
    }
    violations
}

#[test]
fn no_interleaving_of_two_replicas_reorders_or_loses_an_event() {
    let b: Vec<u8> =
        std::env::var("BUDGET").unwrap().split(',').map(|x| x.parse().unwrap()).collect();
    let budget = Budget {
        events: b[0],
        starts: b[1],
        deaths: b[2],
        unknown_commits: b[3],
        failed_sends: b[4],
        lost_results: b[5],
    };
    let _ = BUDGET;
    assert_eq!(violations(budget, None), [] as [String; 0]);
}
