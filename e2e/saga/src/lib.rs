//! A description of each service of the order saga, shared by all tests that play the saga: the simulator, the
//! choreography, the model and the golden corpus. Also the saga's providers in memory.

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
pub use world::{BOUNCE, OutsideWorld};

/// The types that the services of the order saga share.
#[derive(Clone, Copy, Debug)]
pub struct OrderSaga;

impl Saga for OrderSaga {
    type Contract = Event;
    type Providers = OutsideWorld;
    type Shared = Product;
    type Entry = Entry;
}

/// A service of the order saga, as the tests play it.
pub trait Described: quintet_test::Described<OrderSaga> {}

impl<S: quintet_test::Described<OrderSaga>> Described for S {}
