//! The next offset of each partition of some topics.

use std::collections::BTreeMap;

use bus::{Incoming, Position, Start};
use serde::{Deserialize, Serialize};

/// The next offset of each partition, by topic. It is 0 in partitions that are not in it, as these were added later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Positions(BTreeMap<String, Vec<i64>>);

impl Positions {
    pub(crate) fn next(&self, topic: &str, partition: i32) -> i64 {
        let index = usize::try_from(partition).ok();
        let offsets = self.0.get(topic);
        index.and_then(|index| offsets?.get(index)).copied().unwrap_or(0)
    }

    fn set(&mut self, topic: &str, partition: i32, next: i64) {
        let Ok(index) = usize::try_from(partition) else { return };
        if !self.0.contains_key(topic) {
            self.0.insert(topic.to_owned(), Vec::new());
        }
        let Some(offsets) = self.0.get_mut(topic) else { return };
        if offsets.len() <= index {
            offsets.resize(index + 1, 0);
        }
        offsets[index] = next;
    }

    /// Moves the record's partition to the offset after it.
    pub(crate) fn pass(&mut self, record: &Incoming) {
        self.set(&record.topic, record.partition, record.offset + 1);
    }

    /// Whether the record is before these positions.
    pub(crate) fn have_passed(&self, record: &Incoming) -> bool {
        record.offset < self.next(&record.topic, record.partition)
    }

    /// Whether no partition is before its position in `others`.
    pub(crate) fn have_reached(&self, others: &Self) -> bool {
        others.iter().all(|(topic, partition, next)| self.next(topic, partition) >= next)
    }

    /// Moves each partition that is before its position in `others` to that position.
    pub(crate) fn catch_up_with(&mut self, others: &Self) {
        for (topic, partition, next) in others.iter() {
            if self.next(topic, partition) < next {
                self.set(topic, partition, next);
            }
        }
    }

    /// Where a reader begins that goes on from here.
    pub(crate) fn start(&self) -> Start {
        let positions = self.iter().map(|(topic, partition, next)| Position {
            topic: topic.to_owned(),
            partition,
            next,
        });
        Start::At(positions.collect())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.0.iter().flat_map(|(topic, offsets)| {
            let offsets = (0_i32..).zip(offsets);
            offsets.map(move |(partition, next)| (topic.as_str(), partition, *next))
        })
    }
}

impl From<Vec<Position>> for Positions {
    fn from(positions: Vec<Position>) -> Self {
        let mut all = Self::default();
        for Position { topic, partition, next } in positions {
            all.set(&topic, partition, next);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(positions: &[(&str, i32, i64)]) -> Positions {
        let positions = positions.iter().map(|&(topic, partition, next)| Position {
            topic: topic.to_owned(),
            partition,
            next,
        });
        positions.collect::<Vec<_>>().into()
    }

    #[test]
    fn a_partition_that_is_not_named_is_at_its_beginning() {
        let some = positions(&[("trips", 2, 5)]);
        assert_eq!([0, 2, 3].map(|partition| some.next("trips", partition)), [0, 5, 0]);
        assert_eq!((some.next("bookings", 0), some.next("trips", -1)), (0, 0));
    }

    #[test]
    fn positions_are_compared_and_raised_partition_by_partition() {
        let one = positions(&[("trips", 0, 5), ("trips", 1, 2)]);
        let other = positions(&[("trips", 0, 4), ("trips", 1, 2), ("bookings", 0, 1)]);
        assert!(one.have_reached(&one) && !one.have_reached(&other) && !other.have_reached(&one));
        let mut both_passed = one.clone();
        both_passed.catch_up_with(&other);
        let expected = positions(&[("trips", 0, 5), ("trips", 1, 2), ("bookings", 0, 1)]);
        assert_eq!(both_passed, expected);
        assert!(both_passed.have_reached(&one) && both_passed.have_reached(&other));
    }

    #[test]
    fn a_record_is_passed_once_the_position_is_after_it() {
        let mut some = Positions::default();
        let record = testkit::record_at("trips", 7);
        assert!(!some.have_passed(&record));
        some.pass(&record);
        assert_eq!(some.next("trips", 0), 8);
        assert!(some.have_passed(&record) && !some.have_passed(&testkit::record_at("trips", 8)));
    }
}
