//! Injected bugs of the services. The simulator must find each of them, and those of the engine.

use engine::injected_bugs::{ENGINE, InjectedBug};

const OF_SERVICES: &[InjectedBug] = engine::injected_bugs!(
    DoubtIsNo: "a charge without an answer counts as declined",
    OrderAssumed: "payment assumes that StockReserved comes after OrderPlaced",
    UndoForgotten: "payment does not undo a pending charge",
    VoidsTooLate: "shipping voids a parcel that is being booked",
    LeftWaiting: "shipping does not close a shipment that still waits",
    NoTombstone: "inventory stores no tombstone when stock is released before it is reserved",
    ReleaseTwice: "inventory releases stock as often as its release is requested",
    AlarmsStay: "the end of an order does not clear its alarms",
);

/// All bugs that can be injected.
pub fn injected_bugs() -> impl Iterator<Item = InjectedBug> {
    ENGINE.iter().chain(OF_SERVICES).copied()
}

/// The injected bug with this name.
///
/// # Errors
/// If there is none. The error lists all names.
pub fn injected_bug(name: &str) -> Result<InjectedBug, String> {
    injected_bugs().find(|bug| bug.name == name).ok_or_else(|| {
        let names: Vec<_> = injected_bugs().map(|bug| bug.name).collect();
        format!("no injected bug has this name; there are: {}", names.join(", "))
    })
}
