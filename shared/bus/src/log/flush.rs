//! Commits stored offsets in the background, as Kafka's clients do, and applies the retention once an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::writer::Writer;
use super::{LogOptions, group, retention};
use crate::{BusError, LogThrottle};

type Offsets = BTreeMap<(String, i32), i64>;
type SharedWriter = Arc<tokio::sync::Mutex<Writer>>;

/// Stored offsets of a consumer, and the task that commits them. If it is dropped without [`Flush::finish`],
/// offsets that were not committed are lost, and their records come again.
pub(super) struct Flush {
    group: Arc<str>,
    writer: SharedWriter,
    stored: Arc<Mutex<Offsets>>,
    task: JoinHandle<()>,
}

impl Flush {
    pub(super) fn start(writer: SharedWriter, group: String, options: &LogOptions) -> Self {
        let group: Arc<str> = group.into();
        let stored = Arc::new(Mutex::new(Offsets::new()));
        let task = tokio::spawn(run(
            Arc::clone(&writer),
            Arc::clone(&group),
            Arc::clone(&stored),
            options.clone(),
        ));
        Self { group, writer, stored, task }
    }

    pub(super) fn store(&self, topic: String, partition: i32, next: i64) {
        locked(&self.stored).insert((topic, partition), next);
    }

    /// Stops the task and commits the rest.
    pub(super) async fn finish(mut self) -> Result<(), BusError> {
        self.task.abort();
        // Waits until the task has ended, so that it cannot commit older offsets afterwards.
        let _ended = (&mut self.task).await;
        commit(&self.writer, &self.group, &self.stored).await
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    writer: SharedWriter,
    group: Arc<str>,
    stored: Arc<Mutex<Offsets>>,
    options: LogOptions,
) {
    const RETENTION_EVERY: Duration = Duration::from_hours(1);
    let start = Instant::now() + options.commit_interval;
    let mut commit_timer = tokio::time::interval_at(start, options.commit_interval);
    commit_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let throttle = LogThrottle::default();
    let mut retention_timer = tokio::time::interval(RETENTION_EVERY);
    loop {
        tokio::select! {
            _ = commit_timer.tick() => {
                if let Err(error) = commit(&writer, &group, &stored).await
                    && throttle.should_log(&error.to_string(), Instant::now().into_std())
                {
                    tracing::warn!(%error, bus.group = %group, "offsets not committed yet, trying again");
                }
            }
            _ = retention_timer.tick() => match retention::apply(&writer, &options).await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "retention deleted old records of the log"),
                Err(error) => tracing::warn!(%error, "retention failed, trying again in an hour"),
            },
        }
    }
}

/// Commits the offsets that were stored since the last call. After a failure they are kept for the next call.
async fn commit(
    writer: &SharedWriter,
    group: &str,
    stored: &Mutex<Offsets>,
) -> Result<(), BusError> {
    let offsets = locked(stored).clone();
    if offsets.is_empty() {
        return Ok(());
    }
    let mut writer = writer.lock().await;
    let mut transaction = writer.begin().await?;
    for ((topic, partition), next) in &offsets {
        group::commit(transaction.connection(), group, topic, *partition, *next).await?;
    }
    transaction.commit().await?;
    // Offsets that were stored meanwhile are kept for the next call.
    locked(stored).retain(|partition, next| offsets.get(partition) != Some(next));
    Ok(())
}

fn locked(stored: &Mutex<Offsets>) -> std::sync::MutexGuard<'_, Offsets> {
    // Each offset is stored as a whole, so the map is usable after a panic.
    stored.lock().unwrap_or_else(PoisonError::into_inner)
}
