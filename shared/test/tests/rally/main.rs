//! The smallest saga that shows everything: ping serves a ball, pong has it judged by an umpire and returns it.

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

/// What ping and pong have in common.
pub struct Rallies;

impl Saga for Rallies {
    type Contract = Event;
    type Providers = Umpire;
    type Shared = ();
    type Entry = ();
}

/// Two bugs that can be planted.
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
        .always("every ball is judged once", |known| {
            known.providers().judged_twice().map_or(Ok(()), |rally| {
                Err(format!("rally {} is judged twice", known.environment().name(rally)))
            })
        })
        .after_each_batch_of("ping", "a ball comes back once", |known| {
            let twice = known.table("rally").find(|row| row["returns"].as_i64() > Some(1));
            twice.map_or(Ok(()), |row| Err(format!("{row}")))
        })
        .invariant("every rally ends", |known| {
            let open = known.table("rally").filter(|row| row["state"] != "returned").count();
            if open == 0 { Ok(()) } else { Err(format!("{open} still open")) }
        })
        .invariant("every serve counts once", |known| {
            let (rows, accepted) = (known.table("rally").count(), known.workload().accepted());
            if rows == accepted {
                Ok(())
            } else {
                Err(format!("{accepted} serves, {rows} rallies"))
            }
        })
        .invariant("nothing waits", |known| {
            let waits = |(_, status): &(_, &engine::Status)| status.lag != Some(0);
            match known.statuses().iter().find(waits) {
                Some((name, status)) => Err(format!("{name} lags behind by {:?}", status.lag)),
                None => Ok(()),
            }
        })
}

#[test]
fn every_seed_holds_all_invariants() {
    assert_eq!(simulation::<false>(Bugs::default()).run(0..150).unwrap(), 150);
}

fn story(found: Result<u64, SimulationError>) -> String {
    let told = found.expect_err("the bug is found").to_string();
    println!("{told}");
    told
}

#[test]
fn a_reaction_that_forgets_an_answer_is_found_and_told_in_few_lines() {
    let told = story(simulation::<true>(Bugs::default()).run(0..150));
    assert!(told.contains("every rally ends: 1 still open"), "{told}");
    assert!(told.contains("judge A → out"), "{told}");
    assert!(told.lines().count() < 20, "{told}");
    // The same seeds tell the same story.
    assert_eq!(told, story(simulation::<true>(Bugs::default()).run(0..150)));
}

#[test]
fn a_provider_without_idempotency_keys_is_found_by_a_repeat() {
    let told = story(simulation::<false>(Bugs { umpire_ignores_keys: true }).run(0..150));
    assert!(told.contains("every ball is judged once: rally A is judged twice"), "{told}");
    assert!(told.lines().count() < 20, "{told}");
}

#[test]
fn a_simulation_that_is_not_complete_says_what_it_lacks() {
    let nothing = Simulation::new(Participants::<Umpire>::new()).workload(|_| Players::default());
    let error = nothing.run(0..1).expect_err("it has no participants").to_string();
    assert!(error.starts_with("the simulation cannot be played: it has no"), "{error}");
    let twice = Participants::new().described::<Ping, Rallies>().described::<Ping, Rallies>();
    let twice = Simulation::new(twice).workload(|_| Players::default());
    let error = twice.run(0..1).expect_err("it has two pings").to_string();
    assert!(error.contains("two participants are named ping"), "{error}");
    let alone = Participants::new().described::<Ping, Rallies>();
    let alone = Simulation::new(alone).workload(|_| Players::default());
    let error = alone.run(0..1).expect_err("it has no umpire").to_string();
    assert!(error.contains("give them by Simulation::providers"), "{error}");
}

#[test]
fn what_pong_does_is_found_by_trying_everything() {
    let follows = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let reactions = explore::<Pong<false>, Rallies>();
    assert_eq!(reactions["Served"], follows(&["*judge"]));
    assert_eq!(reactions["*judge"], follows(&["Returned"]));
    let reactions = explore::<Ping, Rallies>();
    assert_eq!(reactions["Serve"], follows(&["Served"]));
    assert_eq!(reactions["Returned"], follows(&[]));
}

#[test]
fn the_schemas_say_what_the_types_say() {
    schemas::<Event>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rally/schemas"));
}

#[tokio::test]
async fn ping_and_pong_work_on_every_database() {
    stores::<Ping, Rallies>().await;
    stores::<Pong<false>, Rallies>().await;
}
