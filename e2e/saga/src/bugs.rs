//! Bugs of the services that the simulator must find, beside those of the engine.

use engine::injected_bugs::{ENGINE, InjectedBug};

const OF_SERVICES: &[InjectedBug] = engine::injected_bugs!(
    DoubtIsNo: "a charge without an answer counts as declined",
    OrderAssumed: "StockReserved is taken to come after OrderPlaced",
    UndoForgotten: "a charge that is under way is not undone",
    VoidsTooLate: "a parcel is voided though it is being booked",
    LeftWaiting: "shipping does not close what still waits",
    NoTombstone: "stock is released before it is reserved, and nothing remembers that",
    ReleaseTwice: "stock is released as often as its release is requested",
    AlarmsStay: "an order's end leaves its alarms set",
);

/// All bugs that can be injected.
pub fn injected_bugs() -> impl Iterator<Item = InjectedBug> {
    ENGINE.iter().chain(OF_SERVICES).copied()
}

/// The bug of this name.
///
/// # Errors
/// If there is none; the error names those there are.
pub fn injected_bug(name: &str) -> Result<InjectedBug, String> {
    injected_bugs().find(|bug| bug.name == name).ok_or_else(|| {
        let names: Vec<_> = injected_bugs().map(|bug| bug.name).collect();
        format!("there is no bug of this name; there are: {}", names.join(", "))
    })
}
