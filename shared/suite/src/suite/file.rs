//! The file `up.json` of the suite that this process runs.

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

/// Keeps `up.json` up to date: it is rewritten whenever a process starts or ends.
#[derive(Debug)]
pub(crate) struct SuiteFile {
    path: PathBuf,
    suite: Mutex<Suite>,
    /// Whether the file may belong to another suite by now.
    abandoned: AtomicBool,
}

impl SuiteFile {
    /// Writes the file for the first time.
    ///
    /// # Errors
    /// If it cannot be written.
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

    /// The current content.
    pub(crate) fn snapshot(&self) -> Suite {
        self.suite.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records the process id of a member; `None` if it does not run.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn set_pid(&self, member: Member, pid: Option<u32>) -> io::Result<()> {
        let mut suite = self.suite.lock().unwrap_or_else(PoisonError::into_inner);
        suite.set_pid(member, pid);
        if self.is_abandoned() { Ok(()) } else { self.write(&suite) }
    }

    /// Stops writing and removing the file. The data directory was deleted, so a file at this path belongs to another
    /// suite.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Removes the file at the end of the suite.
    ///
    /// # Errors
    /// If it cannot be removed. That does no harm: readers find that its launcher does not answer.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if self.is_abandoned() { Ok(()) } else { fs::remove_file(&self.path) }
    }

    /// Writes a new file and renames it over the old one, so that a reader never sees a part of it.
    fn write(&self, suite: &Suite) -> io::Result<()> {
        let temporary = self.path.with_extension("json.tmp");
        // Database URLs may hold passwords.
        let mut file = private::file().write(true).create(true).truncate(true).open(&temporary)?;
        serde_json::to_writer_pretty(&mut file, suite)?;
        file.write_all(b"\n")?;
        fs::rename(&temporary, &self.path)
    }
}
