use std::time::Duration;

use contracts::{CancelReason, EventType};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use strum::VariantArray;

use crate::{End, Order, World};

/// Counts of placed and ended orders, updated when a batch has committed.
#[derive(Debug, Clone)]
pub struct Metrics {
    placed: Counter,
    ended: Family<Outcome, Counter>,
    took: Family<Ended, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
    /// Empty for a completed order.
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

/// Buckets from a millisecond to 70 minutes, because an order may wait for its deadlines.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 23))
}

fn outcomes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let cancelled = |reason: &CancelReason| (End::Cancelled.into(), reason.as_str());
    let completed = [(End::Completed.into(), "")].into_iter();
    completed.chain(CancelReason::VARIANTS.iter().map(cancelled))
}

impl Default for Metrics {
    fn default() -> Self {
        let ended = Family::<Outcome, Counter>::default();
        let took = Family::new_with_constructor(seconds as fn() -> Histogram);
        // Prometheus sees a first increase only if the series was exported as 0 before.
        for (outcome, reason) in outcomes() {
            let _ = ended.get_or_create_owned(&Outcome { outcome, reason });
            let _ = took.get_or_create_owned(&Ended { outcome });
        }
        Self { placed: Counter::default(), ended, took }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("orders_placed", "Orders accepted", self.placed.clone());
        let ended =
            "Orders that ended, by outcome and reason; the reason is empty for completed ones";
        registry.register("orders_ended", ended, self.ended.clone());
        let took = "Time from an order's acceptance to its end";
        registry.register_with_unit("order", took, Unit::Seconds, self.took.clone());
    }

    /// Counts the orders that a committed batch has placed and ended.
    pub(crate) fn committed(&self, world: &World, now: Timestamp) {
        for (order, event) in &world.said {
            match event {
                EventType::OrderPlaced => _ = self.placed.inc(),
                EventType::OrderCompleted | EventType::OrderCancelled => {
                    if let Some(order) = world.orders.get(order) {
                        self.ended(order, now);
                    }
                }
                _ => {}
            }
        }
    }

    fn ended(&self, order: &Order, now: Timestamp) {
        let Some(end) = order.ended else { return };
        let outcome = end.into();
        let cause = order.cause.filter(|_| end == End::Cancelled);
        let reason = cause.map_or("", |cause| cause.as_str());
        self.ended.get_or_create(&Outcome { outcome, reason }).inc();
        let took: Duration = now.duration_since(order.placed_at).try_into().unwrap_or_default();
        self.took.get_or_create(&Ended { outcome }).observe(took.as_secs_f64());
    }
}
