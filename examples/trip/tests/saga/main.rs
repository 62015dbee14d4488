//! Tests of the saga: its contract, its reactions, and simulations of all of it.

mod described;
mod desk;
mod reactions;
mod simulation;
mod travellers;

use std::path::Path;

use described::Trips;
use quintet_test::{
    conformance::{schemas, stores},
    simulation::SimulationError,
};
use simulation::{Bug, simulation};
use trip::{Booking, Flights, Hotels, contract::Event};

#[test]
fn the_schemas_and_the_types_accept_the_same_data() {
    schemas::<Event>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"));
}

#[tokio::test]
async fn each_service_works_on_every_database() {
    stores::<Booking, Trips>().await;
    stores::<Flights, Trips>().await;
    stores::<Hotels, Trips>().await;
}

#[test]
fn every_seed_holds_all_invariants() {
    assert_eq!(simulation(None).run(0..300).unwrap(), 300);
}

/// The story of the first seed that fails.
fn story(result: Result<u64, SimulationError>) -> String {
    let story = result.expect_err("the bug is found").to_string();
    println!("{story}");
    story
}

#[test]
fn a_request_without_an_answer_that_counts_as_refused_is_found() {
    let found = story(simulation(Some(Bug::DoubtIsNo)).run(0..300));
    assert!(found.contains("the desk holds what the services know, each once"), "{found}");
    assert!(found.lines().count() < 40, "{found}");
}

#[test]
fn a_missing_compensation_is_found() {
    let found = story(simulation(Some(Bug::NoCompensation)).run(0..300));
    assert!(found.contains("every trip ends: request of trip"), "{found}");
    assert!(found.lines().count() < 40, "{found}");
}
