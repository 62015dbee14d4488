//! Rows that the broker has, from its acknowledgement until their deletion.

use std::collections::BTreeMap;

use event::EventId;

/// Rows of the outbox, each with its events.
pub(crate) type SentRows = BTreeMap<EventId, Vec<EventId>>;

/// Which rows the broker has acknowledged, and which of them are being deleted.
#[derive(Debug, Default)]
pub(crate) struct SentTracker {
    /// The broker has all events of these rows; they are in the table.
    acknowledged: SentRows,
    /// The same, and a transaction deletes them: they may be gone, if its commit has an unknown outcome.
    deleting: SentRows,
}

impl SentTracker {
    /// The broker has all events of these rows. Returns how many events it had not acknowledged before.
    pub(crate) fn acknowledge(&mut self, rows: SentRows) -> usize {
        let mut new = 0;
        for (row, events) in rows {
            let count = events.len();
            let known = self.deleting.contains_key(&row);
            if !known && self.acknowledged.insert(row, events).is_none() {
                new += count;
            }
        }
        new
    }

    /// The rows to delete now: those acknowledged since, and those whose last deletion may have failed.
    pub(crate) fn take_to_delete(&mut self) -> SentRows {
        self.deleting.append(&mut self.acknowledged);
        self.deleting.clone()
    }

    /// These rows are gone from the table.
    pub(crate) fn deleted(&mut self, rows: &SentRows) {
        self.deleting.retain(|row, _| !rows.contains_key(row));
    }

    /// How many acknowledged events are in the table for sure.
    pub(crate) fn acknowledged_events(&self) -> usize {
        self.acknowledged.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row(number: u128, events: u128) -> (EventId, Vec<EventId>) {
        let id = |nth| Uuid::from_u128(100 * number + nth).into();
        (id(0), (0..events).map(id).collect())
    }

    #[test]
    fn an_acknowledged_row_counts_as_stored_until_a_transaction_deletes_it() {
        let mut sent = SentTracker::default();
        assert_eq!(sent.acknowledge(SentRows::from([row(1, 3)])), 3);
        assert_eq!(sent.acknowledge(SentRows::from([row(1, 3), row(2, 2)])), 2);
        assert_eq!(sent.acknowledged_events(), 5);

        let deleting = sent.take_to_delete();
        assert_eq!(deleting, SentRows::from([row(1, 3), row(2, 2)]));
        assert_eq!(sent.acknowledge(SentRows::from([row(2, 2), row(3, 1)])), 1);
        assert_eq!(sent.acknowledged_events(), 1);

        let failed_and_once_more = sent.take_to_delete();
        assert_eq!(failed_and_once_more, SentRows::from([row(1, 3), row(2, 2), row(3, 1)]));
        sent.deleted(&deleting);
        assert_eq!(sent.take_to_delete(), SentRows::from([row(3, 1)]));
    }
}
