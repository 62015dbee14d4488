//! How long the disk takes to make a write durable. Every commit waits for that, so a rate cannot be compared without it.

use super::spread::Spread;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const WRITES: usize = 200;
const BYTES: [u8; 4096] = [0x51; 4096];

/// Appends 4 KiB to a file in this folder and syncs it, 200 times.
///
/// # Errors
/// When the file cannot be written.
pub(super) async fn probe(folder: &Path) -> Result<Spread> {
    let path = folder.join("bench.probe");
    let probe = move || {
        let file = path.display().to_string();
        let times = write(&path).and_then(|times| fs::remove_file(&path).map(|()| times));
        times.with_context(|| format!("cannot write {file}"))
    };
    let times = tokio::task::spawn_blocking(probe).await??;
    Spread::of(times).context("the disk was not probed: there was no write")
}

fn write(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let mut write_and_sync = || {
        let begun = Instant::now();
        file.write_all(&BYTES)?;
        file.sync_data()?;
        Ok(begun.elapsed())
    };
    (0..WRITES).map(|_| write_and_sync()).collect()
}
