//! The file itself, as long as `quintet up` runs.

use super::Suite;
use crate::component::Member;
use crate::datadir::DataDir;
use crate::private;
use anyhow::{Context, Result};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Keeps `up.json` true.
#[derive(Debug)]
pub(crate) struct SuiteFile {
    path: PathBuf,
    suite: Mutex<Suite>,
    /// Whether the directory is another suite's by now.
    abandoned: AtomicBool,
}

impl SuiteFile {
    /// Writes the file.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn create(dir: &DataDir, suite: Suite) -> Result<Self> {
        let file = Self {
            path: dir.suite_file(),
            suite: Mutex::new(suite),
            abandoned: AtomicBool::new(false),
        };
        file.write(&file.snapshot())
            .with_context(|| format!("cannot write {}", file.path.display()))?;
        Ok(file)
    }

    /// What it says now.
    pub(crate) fn snapshot(&self) -> Suite {
        self.suite.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records where a process runs now, if it does.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn set_pid(&self, member: Member, pid: Option<u32>) -> io::Result<()> {
        let mut suite = self.suite.lock().unwrap_or_else(PoisonError::into_inner);
        suite.set_pid(member, pid);
        if self.is_abandoned() { Ok(()) } else { self.write(&suite) }
    }

    /// From now on the file is left alone: it was deleted, and one of its name belongs to another suite.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Removes the file: the suite has ended.
    ///
    /// # Errors
    /// When that fails; then whoever reads the file finds that it is stale.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if self.is_abandoned() { Ok(()) } else { fs::remove_file(&self.path) }
    }

    /// Readers see the old file or the new one, never a part.
    fn write(&self, suite: &Suite) -> io::Result<()> {
        let temporary = self.path.with_extension("json.tmp");
        // Database URLs may hold passwords.
        let mut file = private::file().write(true).create(true).truncate(true).open(&temporary)?;
        serde_json::to_writer_pretty(&mut file, suite)?;
        file.write_all(b"\n")?;
        fs::rename(&temporary, &self.path)
    }
}
