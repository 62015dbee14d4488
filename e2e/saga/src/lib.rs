//! One description of each service of the order saga, for all tests that play it: the simulator, the choreography, the
//! model and the golden corpus. And the saga's providers in memory.

#[cfg(feature = "injected-bugs")]
mod bugs;
mod entry;
mod examples;
mod inventory;
mod notification;
mod order;
mod payment;
mod shipping;
mod world;

use ::inventory::Product;
use contracts::Event;
use quintet_test::Saga;

#[cfg(feature = "injected-bugs")]
pub use bugs::{injected_bug, injected_bugs};
pub use entry::Entry;
pub use examples::customers;
pub use world::{BOUNCE, World};

/// What the services of the order saga have in common.
#[derive(Clone, Copy, Debug)]
pub struct OrderSaga;

impl Saga for OrderSaga {
    type Contract = Event;
    type Providers = World;
    type Shared = Product;
    type Entry = Entry;
}

/// A service of the order saga, as its tests know it.
pub trait Described: quintet_test::Described<OrderSaga> {}

impl<S: quintet_test::Described<OrderSaga>> Described for S {}
