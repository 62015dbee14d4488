//! The walks.

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::{
    actions::{Bug, Walk},
    state::Budget,
};
use crate::outbox::{Change, Ownership};

const NO_FAULTS: Budget = Budget {
    events: 2,
    starts: 2,
    deaths: 0,
    unknown_commits: 0,
    failed_sends: 0,
    lost_results: 0,
};

/// What goes wrong in a walk: each property that is violated, or never seen to hold where it must be possible.
fn violations(walk: Walk, must_see: &[&str]) -> Vec<String> {
    let checker = walk.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    eprintln!("{:?}: {} states", checker.model(), checker.unique_state_count());
    let mut violations = Vec::new();
    for property in checker.model().properties() {
        let discovery = checker.discovery(property.name);
        let violated = match property.expectation {
            Expectation::Sometimes => discovery.is_none() && must_see.contains(&property.name),
            Expectation::Always | Expectation::Eventually => discovery.is_some(),
        };
        if violated {
            let story = discovery.map(|path| format!(": {:?}", path.into_actions()));
            violations.push(format!("{}{}", property.name, story.unwrap_or_default()));
        }
    }
    violations
}

/// Walks the machine as it is: nothing is violated.
fn holds(budget: Budget, must_see: &[&str]) {
    assert_eq!(violations(Walk { budget, bug: None }, must_see), [] as [String; 0]);
}

#[test]
fn no_interleaving_of_two_replicas_reorders_or_loses_an_event() {
    let seen = [
        "all events reach the broker in shared mode",
        "two replicas believe that they are sole",
        "a former owner still has rows to send",
    ];
    holds(NO_FAULTS, &seen);
}

#[test]
fn a_commit_in_doubt_reorders_and_loses_nothing() {
    let budget = Budget { unknown_commits: 1, starts: 1, ..NO_FAULTS };
    holds(budget, &["a commit in doubt turns out to be applied"]);
}

#[test]
fn lost_results_and_failed_sends_reorder_and_lose_nothing() {
    holds(Budget { events: 1, lost_results: 1, failed_sends: 1, ..NO_FAULTS }, &[]);
}

#[test]
fn a_death_reorders_and_loses_nothing() {
    holds(Budget { events: 1, starts: 3, deaths: 1, ..NO_FAULTS }, &[]);
}

/// Injected bugs, each with the budget in which it does harm. A few wrong targets do none: a replica that wrongly works
/// in shared mode is refused once, looks, and knows better.
fn bugs() -> Vec<(Bug, Budget)> {
    let (sole, shared) = (Ownership::Sole, Ownership::Shared);
    let in_doubt = Ownership::InDoubt { sole: true };
    let target = |from, change, to| Bug::Target { from, change, to };
    let doubts = Budget { events: 3, unknown_commits: 1, starts: 1, ..NO_FAULTS };
    vec![
        (target(shared, Change::FoundOurs, shared), Budget { lost_results: 1, ..NO_FAULTS }),
        (target(sole, Change::FoundShared, sole), NO_FAULTS),
        (target(shared, Change::FoundShared, sole), NO_FAULTS),
        (target(sole, Change::CommitUnknown, sole), doubts),
        (target(in_doubt, Change::Committed, in_doubt), doubts),
        (Bug::KeepsQueue(Change::Taken), NO_FAULTS),
        (Bug::KeepsQueue(Change::FoundOurs), NO_FAULTS),
        (Bug::QueuesAfterDoubt, doubts),
        (Bug::QueuesShared, NO_FAULTS),
        (Bug::NoPremise, NO_FAULTS),
        (Bug::NoLock, NO_FAULTS),
        (Bug::EndsOwnLease, NO_FAULTS),
        (Bug::GoesOnAfterFailure, Budget { failed_sends: 1, starts: 1, ..NO_FAULTS }),
        (Bug::SendsQueuedInSharedMode, NO_FAULTS),
    ]
}

#[test]
fn a_bug_in_any_transition_is_found() {
    let is_missed = |(bug, budget): &(Bug, Budget)| {
        violations(Walk { budget: *budget, bug: Some(*bug) }, &[]).is_empty()
    };
    let missed: Vec<_> = bugs().into_iter().filter(is_missed).collect();
    assert_eq!(missed, []);
}
