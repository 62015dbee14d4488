//! The outbox queue: committed rows in memory that wait for the relay, in the order of their commits.
//!
//! The queue is a shortcut: each of its rows is in the table too. It is *complete* while it holds every row of the
//! table that the relay has not read. Once it is not (too many rows wait, or a commit was not added), it stays
//! empty until the relay is about to read the table.

use std::collections::VecDeque;

/// Events that may wait in the queue. Beyond, the relay reads the table again.
pub(crate) const LIMIT: usize = 20_000;

/// A row of the outbox, as far as the queue looks at it.
pub(crate) trait QueuedRow {
    /// How many events it holds.
    fn event_count(&self) -> usize;
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OutboxQueue<R> {
    rows: VecDeque<R>,
    /// Events in `rows`.
    events: usize,
    /// The table holds rows that are neither here nor read.
    incomplete: bool,
}

impl<R> Default for OutboxQueue<R> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), events: 0, incomplete: false }
    }
}

impl<R: QueuedRow> OutboxQueue<R> {
    /// Adds rows that have just been committed.
    pub(crate) fn push(&mut self, rows: Vec<R>) {
        let events: usize = rows.iter().map(QueuedRow::event_count).sum();
        if self.events + events > LIMIT {
            self.mark_incomplete();
        } else if !self.incomplete {
            self.events += events;
            self.rows.extend(rows);
        }
    }

    /// Removes the next rows, as many as hold `limit` events, or all.
    pub(crate) fn take(&mut self, limit: usize) -> Vec<R> {
        let (mut taken, mut events) = (Vec::new(), 0);
        while events < limit
            && let Some(row) = self.rows.pop_front()
        {
            events += row.event_count();
            taken.push(row);
        }
        self.events -= events;
        taken
    }

    /// Empties the queue: the relay reads the table next.
    pub(crate) fn mark_incomplete(&mut self) {
        self.rows.clear();
        self.events = 0;
        self.incomplete = true;
    }

    /// Whether the relay must read the table. Asking clears the mark, and the queue fills again.
    pub(crate) fn take_incomplete(&mut self) -> bool {
        std::mem::take(&mut self.incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Row(usize);

    impl QueuedRow for Row {
        fn event_count(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn a_queue_that_overflows_stays_empty_until_the_table_is_about_to_be_read() {
        let mut queue = OutboxQueue::default();
        queue.push(vec![Row(3), Row(LIMIT - 3)]);
        assert_eq!(queue.take(3), [Row(3)]);
        queue.push(vec![Row(3)]);
        queue.push(vec![Row(1)]);
        assert_eq!(queue.take(usize::MAX), [], "the limit was passed");
        queue.push(vec![Row(2)]);
        assert_eq!(queue.take(usize::MAX), [], "it is incomplete");
        assert!(queue.take_incomplete() && !queue.take_incomplete());
        queue.push(vec![Row(2)]);
        assert_eq!(queue.take(1), [Row(2)]);
    }
}
