//! The smallest saga that uses every part of this crate: ping serves a ball, pong has an umpire judge it and returns it.

mod contract;
mod ping;
mod players;
mod pong;
mod umpire;

use std::{collections::BTreeSet, path::Path};

use contract::Event;
use ping::Ping;
use players::Players;
use pong::Pong;
use quintet_test::{
    Saga,
    conformance::{schemas, stores},
    explore,
    simulation::{Participants, Simulation, SimulationError},
};
use umpire::Umpire;

/// The saga of ping and pong.
pub struct Rallies;

impl Saga for Rallies {
    type Contract = Event;
    type Providers = Umpire;
    type Shared = ();
    type Entry = ();
}

/// The injected bug of the umpire. That of pong is a parameter of its type.
#[derive(Clone, Copy, Default)]
struct Bugs {
    /// The umpire judges each attempt anew, whatever its idempotency key.
    umpire_ignores_keys: bool,
}

/// The saga, with a pong that forgets to return a ball that is out if `FORGETS`.
fn simulation<const FORGETS: bool>(bugs: Bugs) -> Simulation<Umpire, Players> {
    let participants =
        Participants::new().described::<Ping, Rallies>().described::<Pong<FORGETS>, Rallies>();
    Simulation::new(participants)
        .providers(move |environment| Umpire::new(environment, bugs.umpire_ignores_keys))
        .workload(|_| Players::default())
        .always("every ball is judged once", |snapshot| {
            snapshot.providers().judged_twice().map_or(Ok(()), |rally| {
                Err(format!("rally {} is judged twice", snapshot.environment().name(rally)))
            })
        })
        .after_each_batch_of("ping", "a ball comes back once", |snapshot| {
            let twice = snapshot.table("rally").find(|row| row["returns"].as_i64() > Some(1));
            twice.map_or(Ok(()), |row| Err(format!("{row}")))
        })
        .invariant("every rally ends", |snapshot| {
            let open = snapshot.table("rally").filter(|row| row["state"] != "returned").count();
            if open == 0 { Ok(()) } else { Err(format!("{open} still open")) }
        })
        .invariant("every serve counts once", |snapshot| {
            let rows = snapshot.table("rally").count();
            let accepted = snapshot.workload().accepted();
            if rows == accepted {
                Ok(())
            } else {
                Err(format!("{accepted} serves, {rows} rallies"))
            }
        })
        .invariant("nothing waits", |snapshot| {
            let waits = |(_, status): &(_, &engine::Status)| status.lag != Some(0);
            match snapshot.statuses().iter().find(waits) {
                Some((name, status)) => Err(format!("{name} lags behind by {:?}", status.lag)),
                None => Ok(()),
            }
        })
}

#[test]
fn every_seed_holds_all_invariants() {
    assert_eq!(simulation::<false>(Bugs::default()).run(0..150).unwrap(), 150);
}

fn story(result: Result<u64, SimulationError>) -> String {
    let story = result.expect_err("the bug is found").to_string();
    println!("{story}");
    story
}

#[test]
fn a_reaction_that_ignores_an_answer_is_found_with_a_short_story() {
    let found = story(simulation::<true>(Bugs::default()).run(0..150));
    assert!(found.contains("every rally ends: 1 still open"), "{found}");
    assert!(found.contains("judge A → out"), "{found}");
    assert!(found.lines().count() < 20, "{found}");
    // The same seeds give the same story.
    assert_eq!(found, story(simulation::<true>(Bugs::default()).run(0..150)));
}

#[test]
fn a_provider_that_ignores_idempotency_keys_is_found_by_a_repeat() {
    let found = story(simulation::<false>(Bugs { umpire_ignores_keys: true }).run(0..150));
    assert!(found.contains("every ball is judged once: rally A is judged twice"), "{found}");
    assert!(found.lines().count() < 20, "{found}");
}

#[test]
fn the_error_of_an_incomplete_simulation_names_the_missing_part() {
    let nothing = Simulation::new(Participants::<Umpire>::new()).workload(|_| Players::default());
    let error = nothing.run(0..1).expect_err("it has no participants").to_string();
    assert!(error.starts_with("the simulation cannot be played: it has no"), "{error}");
    let twice = Participants::new().described::<Ping, Rallies>().described::<Ping, Rallies>();
    let twice = Simulation::new(twice).workload(|_| Players::default());
    let error = twice.run(0..1).expect_err("it has two pings").to_string();
    assert!(error.contains("two participants are named ping"), "{error}");
    let ping = Participants::new().described::<Ping, Rallies>();
    let without_umpire = Simulation::new(ping).workload(|_| Players::default());
    let error = without_umpire.run(0..1).expect_err("it has no umpire").to_string();
    assert!(error.contains("give them by Simulation::providers"), "{error}");
}

#[test]
fn an_exploration_finds_all_reactions() {
    let follows = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let reactions = explore::<Pong<false>, Rallies>();
    assert_eq!(reactions["Served"], follows(&["*judge"]));
    assert_eq!(reactions["*judge"], follows(&["Returned"]));
    let reactions = explore::<Ping, Rallies>();
    assert_eq!(reactions["Serve"], follows(&["Served"]));
    assert_eq!(reactions["Returned"], follows(&[]));
}

#[test]
fn the_schemas_and_the_types_accept_the_same_data() {
    schemas::<Event>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rally/schemas"));
}

#[tokio::test]
async fn ping_and_pong_work_on_every_database() {
    stores::<Ping, Rallies>().await;
    stores::<Pong<false>, Rallies>().await;
}
