//! The tree is the saga: what stands in the files' first lines and in the READMEs is what the
//! services do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use choreography::{Described, explore};
use contracts::EventType;
use engine::Participant as _;
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

/// A test for each service, and what all of them emit and hear. A service that publishes events belongs here; its
/// description is in `e2e/saga`.
macro_rules! services {
    ($($name:ident: $service:ty;)*) => {
        $(#[test]
        fn $name() {
            check::<$service>();
        })*

        fn emitted() -> BTreeMap<&'static str, BTreeSet<String>> {
            [$((<$service>::NAME, emitted_by::<$service>())),*].into()
        }

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

fn emitted_by<P: Described>() -> BTreeSet<String> {
    explore::<P>().into_values().flatten().filter(|name| !name.starts_with('*')).collect()
}

/// An event's publisher is the service that emits it: the contract's column, checked against the services.
#[test]
fn every_event_is_emitted_by_its_publisher_alone() {
    let emitted = emitted();
    for event in EventType::ALL {
        let publisher = event.publisher();
        assert!(
            emitted.contains_key(publisher),
            "{event} is published by {publisher}, which is not explored: implement `Described` for it in \
             e2e/saga/src, and name it under `services!` in this file"
        );
        let by = emitted.iter().filter(|(_, emits)| emits.contains(event.as_str()));
        assert_eq!(by.map(|(name, _)| *name).collect::<Vec<_>>(), [publisher], "{event}");
    }
}

#[test]
fn every_event_is_heard_by_a_service() {
    let heard = heard();
    for event in EventType::ALL {
        assert_ne!(
            heard.contains(event),
            UNHEARD.contains(event),
            "{event} is heard by no service and not in UNHEARD of this file, or both"
        );
    }
}
