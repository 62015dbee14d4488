//! The metrics of what waits in the database.

use std::sync::atomic::AtomicU64;

use engine::{Depth, Queues};
use event::Contract;
use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};

use super::metrics::{Figure, register_figures};
use crate::http::noun;

/// A queue in the database: the metrics of its depth and of its oldest entry.
struct QueueMetrics<'m> {
    depth: &'m str,
    depth_help: &'static str,
    oldest: &'static str,
    oldest_help: &'static str,
}

impl QueueMetrics<'_> {
    fn register(&self, registry: &mut Registry, queue: Depth) {
        let (depth, oldest) = (Gauge::<i64>::default(), Gauge::<f64, AtomicU64>::default());
        depth.set(queue.depth);
        oldest.set(queue.oldest_seconds);
        registry.register(self.depth, self.depth_help, depth);
        registry.register_with_unit(self.oldest, self.oldest_help, Unit::Seconds, oldest);
    }
}

pub(super) fn register_queues<C: Contract>(registry: &mut Registry, queues: &Queues) {
    let outbox = QueueMetrics {
        depth: "outbox_events",
        depth_help: "Events that the broker has not acknowledged",
        oldest: "outbox_oldest",
        oldest_help: "Age of the oldest event that the broker has not acknowledged",
    };
    let effects = QueueMetrics {
        depth: "effects_waiting",
        depth_help: "Requests to the outside world without a definite answer",
        oldest: "effects_oldest",
        oldest_help: "Age of the oldest request without a definite answer that is not held",
    };
    let alarms = QueueMetrics {
        depth: "alarms_waiting",
        depth_help: "Deadlines that have not been handled",
        oldest: "alarms_overdue",
        oldest_help: "For how long the oldest deadline has been due; 0 if none is",
    };
    let parked = QueueMetrics {
        depth: &format!("dead_letters_{}s", noun::<C>()),
        depth_help: "Aggregates that are parked, and parked records that name none",
        oldest: "dead_letters_oldest",
        oldest_help: "For how long the oldest of the dead letters has been parked",
    };
    outbox.register(registry, queues.outbox);
    effects.register(registry, queues.effects);
    alarms.register(registry, queues.alarms);
    parked.register(registry, queues.parked);
    let figures = [
        Figure::one("dead_letters", "Records in the dead-letter queues", queues.dead_letters),
        Figure::one(
            "dead_letters_postponed",
            "Outcomes and deadlines that cannot be applied, and are tried again",
            queues.postponed,
        ),
        Figure::one(
            "effects_held",
            "Requests to the outside world that are held for an operator: refused as malformed, or without an answer for effects.hold_after",
            queues.effects_held,
        ),
    ];
    register_figures(registry, &figures);
}
