//! Wakes the readers of all processes: a publisher writes a byte to a file that the readers watch.
//!
//! A wake-up may get lost, and some systems have no file events. So readers also poll, and a wake-up only makes
//! them faster.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

use super::writer::open_beside;
use crate::BusError;

/// Wakes the readers of all processes by their file.
pub(super) fn wake_readers(mut file: &File) -> io::Result<()> {
    // Always the same byte at the same place: the file must not grow.
    file.rewind()?;
    file.write_all(b"!")
}

/// Notices [`wake_readers`] of any process.
pub(super) struct WakeUps {
    count: watch::Receiver<u64>,
    // Stops watching when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl WakeUps {
    /// Watches the file beside the log at `path`.
    pub(super) fn watch(path: &Path) -> Result<Self, BusError> {
        // The file must exist before it can be watched.
        open_beside(path, "wake")?;
        let (sender, count) = watch::channel(0_u64);
        let watcher = watch_file(&wake_file(path), sender)
            .inspect_err(|error| {
                tracing::warn!(%error, "file events are not available: the log is polled instead");
            })
            .ok();
        Ok(Self { count, _watcher: watcher })
    }

    /// A value that changes with each wake-up. Without file events its sender is gone.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.clone()
    }
}

fn watch_file(file: &Path, sender: watch::Sender<u64>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Opening and closing the file is no wake-up. An error may mean lost events, so it is one.
        if event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            return;
        }
        sender.send_modify(|count| *count = count.wrapping_add(1));
    })?;
    watcher.watch(file, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn wake_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wake");
    name.into()
}
