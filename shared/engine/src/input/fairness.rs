//! Fairness: no source of inputs starves another one.
//!
//! A chunk of events is at most half a batch. Outcomes with alarms and commands get a quarter each, before any of
//! them fills what is left.

use bus::Position;
use tokio::sync::mpsc;

use crate::{Participant, Pending, Unreadable, input::consumer::Chunk};

/// The engine's queues of inputs.
pub(crate) struct Inputs<P: Participant> {
    pub(crate) chunks: mpsc::Receiver<Chunk<P>>,
    pub(crate) commands: mpsc::Receiver<Pending<P>>,
    /// Outcomes, alarms and replayed dead letters.
    pub(crate) internal: mpsc::Receiver<Pending<P>>,
    /// Inputs in a batch, at most.
    pub(crate) batch: usize,
}

/// The inputs of the next batch, with the records that came among them.
pub(crate) struct NextBatch<P: Participant> {
    pub(crate) works: Vec<Pending<P>>,
    /// Whether the consumer contributed to it.
    pub(crate) has_chunk: bool,
    /// Positions of records that the service does not react to.
    pub(crate) passed: Vec<Position>,
    pub(crate) unreadable: Vec<Unreadable>,
}

impl<P: Participant> Inputs<P> {
    /// Waits for an input, then takes what else waits, up to the batch's size. `None` once every source has ended.
    pub(crate) async fn next(&mut self) -> Option<NextBatch<P>> {
        let mut next = NextBatch {
            works: Vec::new(),
            has_chunk: false,
            passed: Vec::new(),
            unreadable: Vec::new(),
        };
        tokio::select! {
            biased;
            Some(work) = self.internal.recv() => next.works.push(work),
            Some(chunk) = self.chunks.recv() => next.chunk(chunk),
            Some(command) = self.commands.recv() => next.works.push(command),
            else => return None,
        }
        let share = self.batch / 4;
        take(&mut next.works, &mut self.internal, share);
        take(&mut next.works, &mut self.commands, share);
        while next.works.len() <= self.batch / 2
            && let Ok(chunk) = self.chunks.try_recv()
        {
            next.chunk(chunk);
        }
        let left = self.batch.saturating_sub(next.works.len());
        take(&mut next.works, &mut self.internal, left);
        let left = self.batch.saturating_sub(next.works.len());
        take(&mut next.works, &mut self.commands, left);
        Some(next)
    }
}

/// Moves what waits in `from`, at most `limit`, to `works`.
fn take<T>(works: &mut Vec<T>, from: &mut mpsc::Receiver<T>, limit: usize) {
    works.extend(std::iter::from_fn(|| from.try_recv().ok()).take(limit));
}

impl<P: Participant> NextBatch<P> {
    fn chunk(&mut self, chunk: Chunk<P>) {
        let before = self.works.len();
        let unreadable = chunk.unreadable.into_iter();
        self.unreadable.extend(
            unreadable.map(|record| Unreadable { before: before + record.before, ..record }),
        );
        self.works.extend(chunk.works);
        self.passed.extend(chunk.passed);
        self.has_chunk = true;
    }
}
