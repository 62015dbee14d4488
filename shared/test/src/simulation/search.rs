//! Plays many seeds on several threads, each with databases of its own.

use std::{
    fmt,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use super::{Run, Schedule, Simulation, providers::Providers, workload::Workload};

/// A schedule that breaks an invariant.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The schedule.
    pub schedule: Schedule,
    /// Its run.
    pub run: Run,
}

/// The story, with a line for each step, and then the failure.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} fails:", self.schedule.seed)?;
        for line in &self.run.story {
            writeln!(f, "{line}")?;
        }
        match &self.run.failure {
            Some(failure) => write!(f, "{failure}"),
            None => write!(f, "all invariants hold"),
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a range of seeds is searched.
pub struct Search<'a> {
    /// The number of threads.
    pub threads: usize,
    /// Called on each thread before it plays.
    pub begin: &'a (dyn Fn() + Sync),
    /// Called after each seed.
    pub played: &'a (dyn Fn() + Sync),
}

impl Default for Search<'_> {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { threads, begin: &|| {}, played: &|| {} }
    }
}

/// The runtime of a thread that plays. It has no other threads than those of SQLite.
///
/// # Errors
/// If the system has no resources left for a runtime.
pub fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// Finds the lowest of these seeds that fails. Its schedule is not shrunk: see [`Simulation::shrink`].
    ///
    /// # Errors
    /// If the simulation is not complete, or a thread has no databases to play on.
    pub fn search(&self, seeds: Range<u64>, search: &Search<'_>) -> Result<Option<Found>> {
        let next = AtomicU64::new(seeds.start);
        let found: Mutex<Option<Found>> = Mutex::default();
        // Seeds above the lowest failing seed need not be played.
        let end = AtomicU64::new(seeds.end);
        let work = || -> Result<()> {
            (search.begin)();
            runtime()?.block_on(async {
                let databases = self.databases().await?;
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end.load(Ordering::Acquire) {
                        return Ok(());
                    }
                    let schedule = self.schedule(seed);
                    let run = self.play(&databases, &schedule).await?;
                    (search.played)();
                    if run.failure.is_some() && end.fetch_min(seed, Ordering::AcqRel) > seed {
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.as_ref().is_none_or(|found| found.schedule.seed > seed) {
                            *found = Some(Found { schedule, run });
                        }
                    }
                }
            })
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..search.threads.max(1)).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
