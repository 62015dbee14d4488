//! Tests of the saga: its contract, its reactions, and all of it from seeds.

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
fn the_schemas_say_what_the_types_say() {
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
fn story(found: Result<u64, SimulationError>) -> String {
    let told = found.expect_err("the bug is found").to_string();
    println!("{told}");
    told
}

#[test]
fn a_request_in_doubt_that_counts_as_refused_is_found() {
    let told = story(simulation(Some(Bug::DoubtIsNo)).run(0..300));
    assert!(told.contains("the desk holds what the services know, each once"), "{told}");
    assert!(told.lines().count() < 40, "{told}");
}

#[test]
fn a_compensation_that_is_forgotten_is_found() {
    let told = story(simulation(Some(Bug::NoCompensation)).run(0..300));
    assert!(told.contains("every trip ends: request of trip"), "{told}");
    assert!(told.lines().count() < 40, "{told}");
}
