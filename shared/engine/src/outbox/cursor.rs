//! Whether the relay reads the outbox queue or the table next.

use std::collections::BTreeSet;

/// Where the relay stands between the table and the queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cursor<Id> {
    /// The table holds rows that the relay has not read.
    reads_table: bool,
    /// The rows of the last read of the table, until the queue has a row that is not among them. The engine adds rows
    /// to the queue just after their commit, so the table may have shown the queue's first rows already.
    read: BTreeSet<Id>,
}

impl<Id: Ord + Copy> Cursor<Id> {
    /// At the start the table holds what earlier processes left.
    pub(crate) fn at_start() -> Self {
        Self { reads_table: true, read: BTreeSet::new() }
    }

    /// The table must be read next: a send failed, the queue is incomplete, or other replicas add rows.
    pub(crate) fn reread(&mut self) {
        self.reads_table = true;
        self.read.clear();
    }

    pub(crate) fn reads_table(&self) -> bool {
        self.reads_table
    }

    /// The oldest rows of the table were read. If `all` of them were, the queue has what follows.
    pub(crate) fn was_read(&mut self, rows: impl IntoIterator<Item = Id>, all: bool) {
        self.reads_table = !all;
        self.read = rows.into_iter().collect();
    }

    /// Drops those of the queue's rows that the table has shown.
    pub(crate) fn drop_read<R>(&mut self, queued: &mut Vec<R>, id: impl Fn(&R) -> Id) {
        queued.retain(|row| !self.read.contains(&id(row)));
        if !queued.is_empty() {
            self.read.clear();
        }
    }
}
