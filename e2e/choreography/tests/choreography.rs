//! The tree is the saga: what stands in the files' first lines and in the READMEs is what the
//! services do.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use choreography::Described;
use contracts::EventType;
use engine::Participant as _;
use event::EventType as _;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::conformance;
use saga::OrderSaga;
use shipping::ShippingService;

fn folder<P: Described>() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services").join(P::NAME)
}

fn check<S: Described>() {
    conformance::choreography::<S, OrderSaga>(&folder::<S>());
}

/// A test for each service, and what all of them hear. A service beside these five has its own description and its own
/// tests, as `e2e/loyalty/tests/conformance.rs` shows.
macro_rules! services {
    ($($name:ident: $service:ty;)*) => {
        $(#[test]
        fn $name() {
            check::<$service>();
        })*

        const NAMES: &[&str] = &[$(<$service>::NAME),*];

        fn heard() -> BTreeSet<EventType> {
            [$(<$service>::CONSUMES),*].into_iter().flatten().copied().collect()
        }
    };
}

services! {
    order: OrderService;
    inventory: InventoryService;
    payment: PaymentService;
    shipping: ShippingService;
    notification: NotificationService;
}

/// Events that no service hears, for readers outside of the suite.
const UNHEARD: &[EventType] = &[];

/// Whether each publishes what the contract says is checked with each.
#[test]
fn every_event_of_theirs_is_heard_by_one_of_them() {
    let heard = heard();
    for event in EventType::ALL.iter().filter(|event| NAMES.contains(&event.publisher())) {
        assert_ne!(
            heard.contains(event),
            UNHEARD.contains(event),
            "{event} is heard by no service and not in UNHEARD of this file, or both"
        );
    }
}
