//! Writing stored offsets down now and then, as Kafka's clients do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::writer::Writer;
use super::{LogOptions, group, retention};
use crate::{BusError, Said};

type Offsets = BTreeMap<(String, i32), i64>;
type SharedWriter = Arc<tokio::sync::Mutex<Writer>>;

/// Stored offsets on their way to the log. Dropped without [`Flush::finish`], it forgets them.
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

    pub(super) fn remember(&self, topic: String, partition: i32, next: i64) {
        locked(&self.stored).insert((topic, partition), next);
    }

    /// Writes down what is left and stops.
    pub(super) async fn finish(mut self) -> Result<(), BusError> {
        self.task.abort();
        // Ends cancelled, or by itself just before: either way it writes no more.
        let _ended = (&mut self.task).await;
        write(&self.writer, &self.group, &self.stored).await
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
    let mut commit = tokio::time::interval_at(start, options.commit_interval);
    commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let said = Said::default();
    let mut retain = tokio::time::interval(RETENTION_EVERY);
    loop {
        tokio::select! {
            _ = commit.tick() => {
                if let Err(error) = write(&writer, &group, &stored).await
                    && said.worth_saying(&error.to_string(), Instant::now().into_std())
                {
                    tracing::warn!(%error, bus.group = %group, "offsets not committed yet, trying again");
                }
            }
            _ = retain.tick() => match retention::apply(&writer, &options).await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "retention deleted old records of the log"),
                Err(error) => tracing::warn!(%error, "retention failed, trying again in an hour"),
            },
        }
    }
}

/// Commits what was stored since the last time. What fails is kept for the next.
async fn write(
    writer: &SharedWriter,
    group: &str,
    stored: &Mutex<Offsets>,
) -> Result<(), BusError> {
    let offsets = locked(stored).clone();
    if offsets.is_empty() {
        return Ok(());
    }
    let mut writer = writer.lock().await;
    let mut turn = writer.begin().await?;
    for ((topic, partition), next) in &offsets {
        group::commit(turn.connection(), group, topic, *partition, *next).await?;
    }
    turn.commit().await?;
    // Whatever was stored meanwhile waits for the next time.
    locked(stored).retain(|place, next| offsets.get(place) != Some(next));
    Ok(())
}

fn locked(stored: &Mutex<Offsets>) -> std::sync::MutexGuard<'_, Offsets> {
    // A map of numbers is whole after any panic.
    stored.lock().unwrap_or_else(PoisonError::into_inner)
}
