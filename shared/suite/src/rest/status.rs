//! The status of a service.

use serde::Deserialize;

/// The status of a service, as `GET /admin/status` answers it. For several replicas, see [`Status::of_group`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The number of batches that were committed since the process started.
    pub batches: u64,
    /// The number of inputs that were dropped because they had been applied before.
    #[serde(default)]
    pub duplicates: u64,
    /// Events that the broker has not acknowledged.
    pub outbox: Depth,
    /// Requests to the outside world without a definite answer.
    pub effects: Depth,
    /// Deadlines that have not fired.
    pub alarms: Depth,
    /// Aggregates that are parked, and dead letters that name none: the dead-letter queues.
    #[serde(default)]
    pub parked: Depth,
    /// Records that the group has not applied; `None` while the broker does not answer.
    pub lag: Option<i64>,
}

/// The depth of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Depth {
    /// The number of rows.
    pub depth: i64,
}

impl Status {
    /// Whether the service is at rest: its queues are empty, and it has applied all records.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.queues().iter().all(|queue| queue.depth == 0) && self.lag == Some(0)
    }

    /// Whether no event from outside can still change the service: no provider owes it an answer, and the bus has no
    /// record that it has not applied. Its other queues must empty by themselves, or are stuck.
    pub(crate) fn has_nothing_to_wait_for(&self) -> bool {
        self.effects.depth == 0 && self.lag == Some(0)
    }

    /// The queues that are not empty, as in `outbox 2, lag 7`.
    #[must_use]
    pub fn waiting(&self) -> String {
        let lag = Queue { name: "lag", depth: self.lag.unwrap_or(0) };
        let queues = self.queues().into_iter().chain([lag]).filter(|queue| queue.depth != 0);
        let mut waiting: Vec<String> =
            queues.map(|Queue { name, depth }| format!("{name} {depth}")).collect();
        if self.lag.is_none() {
            waiting.push("the broker does not answer".to_owned());
        }
        waiting.join(", ")
    }

    /// The status of a service with several replicas: the sum of the figures that each replica counts for itself, and the
    /// maximum of the figures that all of them read from the shared database and bus, though not at the same moment.
    #[must_use]
    pub fn of_group(replicas: impl IntoIterator<Item = Self>) -> Option<Self> {
        replicas.into_iter().reduce(|group, replica| Self {
            batches: group.batches + replica.batches,
            duplicates: group.duplicates + replica.duplicates,
            outbox: group.outbox.max(replica.outbox),
            effects: group.effects.max(replica.effects),
            alarms: group.alarms.max(replica.alarms),
            parked: group.parked.max(replica.parked),
            lag: group.lag.zip(replica.lag).map(|(one, other)| one.max(other)),
        })
    }

    fn queues(&self) -> [Queue; 4] {
        [
            Queue { name: "outbox", depth: self.outbox.depth },
            Queue { name: "effects", depth: self.effects.depth },
            Queue { name: "alarms", depth: self.alarms.depth },
            Queue { name: "parked", depth: self.parked.depth },
        ]
    }
}

struct Queue {
    name: &'static str,
    depth: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_replicas_are_added_and_the_deepest_queue_counts() {
        let one = Status { batches: 3, duplicates: 1, lag: Some(0), ..Status::default() };
        let two = Depth { depth: 2 };
        let other = Status { batches: 4, outbox: two, lag: Some(5), ..Status::default() };
        let expected =
            Status { batches: 7, duplicates: 1, outbox: two, lag: Some(5), ..Status::default() };
        assert_eq!(Status::of_group([one, other]), Some(expected));
        assert_eq!(expected.waiting(), "outbox 2, lag 5");
        let without_broker = Status { lag: None, ..one };
        assert_eq!(Status::of_group([one, without_broker]).unwrap().lag, None);
        assert_eq!(without_broker.waiting(), "the broker does not answer");
        assert_eq!(Status::of_group([]), None);
    }
}
