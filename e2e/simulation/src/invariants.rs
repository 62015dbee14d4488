//! The auditor's seven invariants at rest, and the invariants that hold at every moment.

use audit::{Invariant, Report, Row, Subject};
use jiff::SignedDuration;
use quintet_test::simulation::{Environment, Simulation, Snapshot};

use saga::OutsideWorld;

use crate::Shop;

type Known<'a> = Snapshot<'a, OutsideWorld, Shop>;

/// The names of the auditor's invariants, by their numbers.
const NAMES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "7"];

/// A little less than the time for which responses are stored under their keys.
const WINDOW: SignedDuration = SignedDuration::from_hours(23);

/// Adds all invariants to the simulation.
pub(crate) fn of(mut simulation: Simulation<OutsideWorld, Shop>) -> Simulation<OutsideWorld, Shop> {
    simulation = simulation
        .always("1", ends_once)
        .always("5", |known| known.providers().money_moved_once())
        .always("2", |known| known.providers().shipped_once())
        .always("3", |known| known.providers().shipped_or_refunded())
        .after_each_batch_of("inventory", "4", stock_adds_up)
        .invariant("1", accepted_once);
    for number in 1..=7_u8 {
        let name = NAMES[usize::from(number) - 1];
        simulation = simulation.invariant(name, move |known| {
            let accepted = known.workload().accepted();
            audit_result(
                &audit::audit(&snapshot(known)?, Some(&accepted)),
                number,
                known.environment(),
            )
        });
    }
    simulation.invariant("1", every_order_was_accepted).invariant("4", all_deliveries_count)
}

/// An order ends once: there are no two different events about its end.
fn ends_once(known: &Known<'_>) -> Result<(), String> {
    let ends = |kind: &str| matches!(kind, "OrderCompleted" | "OrderCancelled");
    for end in known.just_published().filter(|end| ends(&end.event_type)) {
        let mut others = known.published().filter(|other| other.key == end.key);
        if others.any(|other| ends(&other.event_type) && other.id != end.id) {
            let name = known.environment().name_of_key(&end.key);
            return Err(format!("order {name} has ended twice"));
        }
    }
    Ok(())
}

/// The rows of the inventory service agree with each other after each of its batches.
fn stock_adds_up(known: &Known<'_>) -> Result<(), String> {
    audit_result(&audit::audit(&rows(known)?, None), 4, known.environment())
}

/// The audit result for one invariant.
fn audit_result(report: &Report, number: u8, environment: &Environment) -> Result<(), String> {
    let mut invariants = report.invariants.iter();
    let broken = invariants.find(|invariant| invariant.number == number && !invariant.holds);
    broken.map_or(Ok(()), |broken| Err(first_offence(broken, environment)))
}

/// The services' rows in the auditor's types.
fn rows(known: &Known<'_>) -> Result<audit::Snapshot, String> {
    let mut snapshot = audit::Snapshot::default();
    for row in known.rows() {
        let row = serde_json::from_value::<Row>(row.clone());
        snapshot.add(row.map_err(|error| error.to_string())?);
    }
    Ok(snapshot)
}

/// Rows, ledger and statuses in the auditor's types.
fn snapshot(known: &Known<'_>) -> Result<audit::Snapshot, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    let mut snapshot = rows(known)?;
    snapshot.ledger = known.providers().ledger().map_err(wrong)?;
    for (service, status) in known.statuses() {
        let status = serde_json::to_value(status).and_then(serde_json::from_value);
        snapshot.status.insert((*service).to_owned(), status.map_err(wrong)?);
    }
    Ok(snapshot)
}

/// The first violation of a broken invariant, with the names that the story uses.
fn first_offence(broken: &Invariant, environment: &Environment) -> String {
    broken.offences.first().map_or(String::new(), |offence| {
        let subject = match &offence.subject {
            Subject::Order(order) => format!("order {}", environment.name(order.uuid())),
            subject => subject.to_string(),
        };
        format!("{subject} {}", offence.why)
    })
}

/// Whether the run is so short that no idempotency key has expired.
fn keys_hold(known: &Known<'_>) -> bool {
    known.environment().elapsed() < WINDOW
}

fn accepted_once(known: &Known<'_>) -> Result<(), String> {
    match known.workload().accepted_twice().filter(|_| keys_hold(known)) {
        Some(name) => Err(format!("order {name} was accepted twice under one key")),
        None => Ok(()),
    }
}

fn every_order_was_accepted(known: &Known<'_>) -> Result<(), String> {
    let (accepted, orders) = (known.workload().accepted().len(), known.table("orders").count());
    if keys_hold(known) && orders != accepted {
        return Err(format!("{accepted} orders were accepted, and there are {orders}"));
    }
    Ok(())
}

fn all_deliveries_count(known: &Known<'_>) -> Result<(), String> {
    for audit::ProductRow { sku, stocked, .. } in snapshot(known)?.products {
        let delivered = known.workload().delivered(&sku);
        if keys_hold(known) && stocked != delivered {
            return Err(format!(
                "{delivered} {sku} were delivered, and {stocked} count as stocked"
            ));
        }
    }
    Ok(())
}
