//! The order saga in the simulator of `quintet-test`: its five services, the sandbox's providers in memory, its
//! customers and the auditor's invariants.

mod invariants;
mod shop;

use clock::{Random as _, SeededRandom};
use contracts::{Event, EventType};
use event::Versions;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::simulation::{Participants, Simulation};
use shipping::ShippingService;

use saga::{OrderSaga, OutsideWorld};
pub use shop::Shop;

/// The simulation of the order saga, to be played from seeds.
#[must_use]
pub fn simulation() -> Simulation<OutsideWorld, Shop> {
    let participants = Participants::new()
        .described::<OrderService, OrderSaga>()
        .described::<InventoryService, OrderSaga>()
        .described::<PaymentService, OrderSaga>()
        .described::<ShippingService, OrderSaga>()
        .described::<NotificationService, OrderSaga>();
    let simulation = Simulation::new(participants)
        .versions(versions)
        .providers(OutsideWorld::new)
        .workload(Shop::drawn);
    invariants::of(simulation)
}

/// In some runs the order service publishes `OrderPlaced` in its first version.
fn versions(random: &SeededRandom) -> Versions<Event> {
    let version = if random.below(4) == 3 { 1 } else { 2 };
    Versions::default().with(EventType::OrderPlaced, version)
}
