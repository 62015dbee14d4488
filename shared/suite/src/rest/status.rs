//! Where a service stands.

use serde::Deserialize;

/// Where a service stands, as `GET /admin/status` says; of several replicas all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Batches committed since the process started; of a group all its processes' together.
    pub turns: u64,
    /// Inputs that had been applied before; likewise.
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

/// How much a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Depth {
    /// Rows.
    pub depth: i64,
}

impl Status {
    /// Whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.queues().iter().all(|queue| queue.depth == 0) && self.lag == Some(0)
    }

    /// A request to the outside world goes out again until it is answered, and what lies on the bus is
    /// about to be read: a service that has neither can only be waiting for itself.
    pub(crate) fn has_nothing_to_wait_for(&self) -> bool {
        self.effects.depth == 0 && self.lag == Some(0)
    }

    /// What waits, as in `outbox 2, lag 7`; empty if nothing does.
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

    /// The status of a service as all its replicas tell it: what each counts alone is added up, and of
    /// what all see, but not at the same moment, the most counts.
    #[must_use]
    pub fn of_group(replicas: impl IntoIterator<Item = Self>) -> Option<Self> {
        replicas.into_iter().reduce(|group, replica| Self {
            turns: group.turns + replica.turns,
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
    fn what_replicas_count_alone_is_added_up_and_of_the_rest_the_most_counts() {
        let one = Status { turns: 3, duplicates: 1, lag: Some(0), ..Status::default() };
        let waits = Depth { depth: 2 };
        let other = Status { turns: 4, outbox: waits, lag: Some(5), ..Status::default() };
        let expected =
            Status { turns: 7, duplicates: 1, outbox: waits, lag: Some(5), ..Status::default() };
        assert_eq!(Status::of_group([one, other]), Some(expected));
        assert_eq!(expected.waiting(), "outbox 2, lag 5");
        let alone = Status { lag: None, ..one };
        assert_eq!(Status::of_group([one, alone]).unwrap().lag, None);
        assert_eq!(alone.waiting(), "the broker does not answer");
        assert_eq!(Status::of_group([]), None);
    }
}
