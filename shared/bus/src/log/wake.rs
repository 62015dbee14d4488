//! Waking the readers of other processes: a byte written to a file that they watch.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

use super::writer::open_beside;
use crate::BusError;

/// Tells everybody that there are new records.
pub(super) fn ring(mut file: &File) -> io::Result<()> {
    // Always the same byte at the same place: the file must not grow.
    file.rewind()?;
    file.write_all(b"!")
}

/// Hears [`ring`] from any process.
pub(super) struct Bell {
    rung: watch::Receiver<u64>,
    // Stops listening when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl Bell {
    pub(super) fn hang(path: &Path) -> Result<Self, BusError> {
        // It must be there before it can be watched.
        open_beside(path, "wake")?;
        let (ringer, rung) = watch::channel(0_u64);
        let watcher = listen(&wake_file(path), ringer)
            .inspect_err(|error| {
                tracing::warn!(%error, "file events are not to be had: the log is polled instead");
            })
            .ok();
        Ok(Self { rung, _watcher: watcher })
    }

    /// Changes whenever the bell has rung.
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.rung.clone()
    }
}

fn listen(file: &Path, ringer: watch::Sender<u64>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error may mean lost events, so it rings too. Opening and closing does not.
        if event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            return;
        }
        ringer.send_modify(|rung| *rung = rung.wrapping_add(1));
    })?;
    watcher.watch(file, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn wake_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wake");
    name.into()
}
