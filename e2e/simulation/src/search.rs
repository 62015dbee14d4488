//! Many seeds, on several threads, each with databases of its own.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use crate::{
    databases::Databases,
    run::{Run, run},
    schedule::Schedule,
};

/// A run that failed.
pub struct Found {
    /// What was played.
    pub schedule: Schedule,
    /// What came of it.
    pub run: Run,
}

/// Where a thread plays: nothing but its own database threads is beside it.
///
/// # Errors
/// If the system has no more of what a runtime needs.
pub fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

/// The lowest of these seeds that fails, if one does. `begin` is called on each thread before it
/// plays, `played` after each seed.
///
/// # Errors
/// If a thread has no database to play on.
pub fn first_failure(
    seeds: Range<u64>,
    threads: usize,
    begin: impl Fn() + Sync,
    played: impl Fn() + Sync,
) -> Result<Option<Found>> {
    let next = AtomicU64::new(seeds.start);
    let found: Mutex<Option<Found>> = Mutex::default();
    // Beyond the lowest failure nobody need look.
    let end = AtomicU64::new(seeds.end);
    let work = || -> Result<()> {
        begin();
        runtime()?.block_on(async {
            let databases = Databases::new().await?;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end.load(Ordering::Acquire) {
                    return Ok(());
                }
                let schedule = Schedule::of(seed);
                let run = run(&databases, &schedule).await?;
                played();
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
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}
