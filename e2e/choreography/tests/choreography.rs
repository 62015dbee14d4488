//! The source tree describes the saga: the first lines of the reactions' files and the READMEs state what the services
//! actually do.

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

/// Makes a test for each service, and collects the events that they consume. Any other service has a description
/// and tests of its own, as `e2e/loyalty/tests/conformance.rs` shows.
macro_rules! services {
    ($($name:ident: $service:ty;)*) => {
        $(#[test]
        fn $name() {
            check::<$service>();
        })*

        const NAMES: &[&str] = &[$(<$service>::NAME),*];

        fn consumed() -> BTreeSet<EventType> {
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

/// Events that no service consumes, for readers outside of the suite.
const UNCONSUMED: &[EventType] = &[];

/// The other direction, that each service publishes its events, is checked per service.
#[test]
fn every_event_of_the_services_is_consumed_by_one_of_them() {
    let consumed = consumed();
    for event in EventType::ALL.iter().filter(|event| NAMES.contains(&event.publisher())) {
        assert_ne!(
            consumed.contains(event),
            UNCONSUMED.contains(event),
            "{event} must either be consumed by a service or be listed in UNCONSUMED of this file"
        );
    }
}
