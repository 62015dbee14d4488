//! What in a batch is known to be poison: to fail, however often it is tried.
//!
//! Two kinds of poison are found at different times. A record that cannot be decoded is known before the batch
//! begins, and never becomes an input. An input whose reaction fails, or whose changes the database refuses, is
//! known once an attempt at the batch has failed. The retry loop then adds the input here and tries the batch
//! again, and the batch commits without it.

use std::collections::BTreeMap;

use bus::Incoming;

use crate::Reason;

/// A record that cannot be decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// The index of the input of the batch before which the record arrived; the number of inputs, if it
    /// arrived after them all.
    pub before: usize,
    /// The record as it arrived.
    pub record: Incoming,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What in a batch is known to be poison, and why.
#[derive(Debug, Default)]
pub struct Poison {
    /// The records that cannot be decoded, in the order of arrival.
    pub unreadable: Vec<Unreadable>,
    /// The inputs that cannot be applied, by their index in the batch.
    pub(super) inputs: BTreeMap<usize, Reason>,
}

impl Poison {
    /// What is known before the first attempt at a batch.
    #[must_use]
    pub fn of(unreadable: Vec<Unreadable>) -> Self {
        Self { unreadable, inputs: BTreeMap::new() }
    }

    /// Notes that the input at this index cannot be applied.
    pub fn add(&mut self, index: usize, reason: Reason) {
        self.inputs.insert(index, reason);
    }

    /// Whether the input at this index is known to be poison.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.inputs.contains_key(&index)
    }

    /// Whether the batch has no poison, as far as is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.unreadable.is_empty() && self.inputs.is_empty()
    }

    /// Takes out what belongs to a batch of the input at `index` alone: its own poison, and the unreadable records that
    /// arrived before it and are not taken yet. These may be of the same aggregate, and must join its queue first. The
    /// caller goes through the inputs in order. Unreadable records after the last input stay.
    pub(crate) fn take_for(&mut self, index: usize) -> Self {
        let count = self.unreadable.iter().take_while(|record| record.before <= index).count();
        let mut unreadable: Vec<Unreadable> = self.unreadable.drain(..count).collect();
        for record in &mut unreadable {
            record.before = 0;
        }
        let reason = self.inputs.remove(&index);
        Self { unreadable, inputs: reason.into_iter().map(|reason| (0, reason)).collect() }
    }

    /// Why the input at this index cannot be applied, if that is known.
    pub(crate) fn reason(&self, index: usize) -> Option<&Reason> {
        self.inputs.get(&index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;

    fn unreadable(before: usize, offset: i64) -> Unreadable {
        let reason = Reason::new(Cause::Undecodable, ["not JSON".to_owned()]);
        let record = Incoming {
            topic: "questions".into(),
            partition: 0,
            offset,
            key: Vec::new(),
            headers: event::Headers::default(),
            value: Vec::new(),
        };
        Unreadable { before, record, reason }
    }

    #[test]
    fn an_input_that_goes_alone_takes_along_what_arrived_before_it() {
        let mut poison = Poison::of(vec![unreadable(0, 10), unreadable(1, 12), unreadable(3, 15)]);
        poison.add(1, Reason::behind());
        assert!(poison.contains(1) && !poison.contains(0));

        let first = poison.take_for(0);
        assert_eq!((first.unreadable.len(), first.contains(0)), (1, false));
        let second = poison.take_for(1);
        assert_eq!((second.unreadable.len(), second.contains(0)), (1, true));
        assert_eq!((second.unreadable[0].before, second.unreadable[0].record.offset), (0, 12));
        assert_eq!((poison.unreadable.len(), poison.contains(1)), (1, false));
    }
}
