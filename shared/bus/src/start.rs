//! Where a reader begins.

use std::collections::HashMap;

use crate::{BusError, PartitionState, Position};

/// Where a reader begins in each partition.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// With the lowest record that exists.
    Lowest,
    /// With the next record that is published after the reader was opened.
    End,
    /// With the record at the given offset. A partition without a position begins at offset 0, as one that was added
    /// after the positions were noted. Positions of topics that are not read are ignored.
    At(Vec<Position>),
}

impl Start {
    /// The first offset of each partition, in the order of `states`, which are all partitions of the topics to read.
    ///
    /// # Errors
    /// [`BusError::OutOfReach`] if an offset was deleted, lies beyond the end, or is one of a partition that does not
    /// exist.
    pub(crate) fn offsets(&self, states: &[PartitionState]) -> Result<Vec<i64>, BusError> {
        let positions = match self {
            Self::Lowest => return Ok(states.iter().map(|state| state.low).collect()),
            Self::End => return Ok(states.iter().map(|state| state.high).collect()),
            Self::At(positions) => positions,
        };
        let mut next: HashMap<(&str, i32), i64> = HashMap::new();
        for position in positions {
            if states.iter().any(|state| state.topic == position.topic) {
                next.insert((&position.topic, position.partition), position.next);
            }
        }
        let offsets = states.iter().map(|state| {
            let next = next.remove(&(state.topic.as_str(), state.partition)).unwrap_or(0);
            (state.low..=state.high).contains(&next).then_some(next).ok_or(BusError::OutOfReach)
        });
        let offsets = offsets.collect::<Result<_, _>>()?;
        if next.is_empty() { Ok(offsets) } else { Err(BusError::OutOfReach) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(topic: &str, partition: i32, low: i64, high: i64) -> PartitionState {
        PartitionState { topic: topic.to_owned(), partition, low, high, committed: None }
    }

    fn at(positions: &[(&str, i32, i64)]) -> Start {
        let positions = positions.iter().map(|&(topic, partition, next)| Position {
            topic: topic.to_owned(),
            partition,
            next,
        });
        Start::At(positions.collect())
    }

    #[test]
    fn each_start_gives_an_offset_for_each_partition() {
        let states = [state("trips", 0, 3, 9), state("trips", 1, 0, 4)];
        assert_eq!(Start::Lowest.offsets(&states).unwrap(), [3, 0]);
        assert_eq!(Start::End.offsets(&states).unwrap(), [9, 4]);
        let positions = at(&[("trips", 0, 3), ("notices", 7, 1)]);
        assert_eq!(positions.offsets(&states).unwrap(), [3, 0]);
        assert_eq!(at(&[("trips", 0, 9), ("trips", 1, 4)]).offsets(&states).unwrap(), [9, 4]);
    }

    #[test]
    fn an_offset_that_was_deleted_or_does_not_exist_yet_is_out_of_reach() {
        let states = [state("trips", 0, 3, 9)];
        for wrong in [&[("trips", 0, 2)][..], &[("trips", 0, 10)], &[]] {
            let refused = at(wrong).offsets(&states);
            assert!(matches!(refused, Err(BusError::OutOfReach)), "{wrong:?}: {refused:?}");
        }
        let refused = at(&[("trips", 0, 5), ("trips", 1, 0)]).offsets(&states);
        assert!(matches!(refused, Err(BusError::OutOfReach)), "there is no partition 1");
    }
}
