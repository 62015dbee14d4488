//! The data directory of a suite: its lock, and the files that a suite makes in it.

use crate::program::{Member, Program};
use anyhow::{Context, Result, bail};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A data directory by its absolute path, so that children need not share our working directory.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    shown: PathBuf,
}

/// Held as long as a suite runs on the directory; the system lets go of it however we end.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory at `path`, which need not exist.
    ///
    /// # Errors
    /// When it cannot be made absolute, or holds characters that mean something in a `sqlite:` URL.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let absolute = std::path::absolute(path)
            .with_context(|| format!("--data {} is not a usable path", path.display()))?;
        match absolute.to_str() {
            Some(text) if !text.contains(['?', '%', '#']) => {}
            _ => bail!(
                "--data {}: the path must be UTF-8 without `?`, `%` and `#`, which mean something in a database URL",
                absolute.display()
            ),
        }
        Ok(Self { path: absolute, shown: path.to_owned() })
    }

    /// As the user wrote it.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn suite_file(&self) -> PathBuf {
        self.path.join("up.json")
    }

    pub(crate) fn database(&self, program: Program) -> PathBuf {
        self.path.join(format!("{program}.db"))
    }

    pub(crate) fn bus(&self) -> PathBuf {
        self.path.join("bus.db")
    }

    pub(crate) fn log(&self, member: Member) -> PathBuf {
        self.path.join("logs").join(format!("{member}.log"))
    }

    /// The log's name as the user would write it.
    pub(crate) fn shown_log(&self, member: Member) -> PathBuf {
        self.shown.join("logs").join(format!("{member}.log"))
    }

    /// Makes the directory where it is missing.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn create(&self) -> Result<()> {
        fs::create_dir_all(self.path.join("logs"))
            .with_context(|| format!("cannot create the data directory {}", self.shown.display()))
    }

    /// Takes the directory for this process alone.
    ///
    /// # Errors
    /// When another `quintet up` holds it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.path.join("up.lock");
        let name = || format!("cannot lock {}", path.display());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).with_context(name)?;
                bail!(
                    "{} is in use by another `quintet up` (pid {}): stop that one, or take another --data",
                    self.shown.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(name),
        }
        file.set_len(0).and_then(|()| file.rewind()).with_context(name)?;
        writeln!(file, "{}", std::process::id()).with_context(name)?;
        Ok(Lock { _file: file })
    }

    /// Deletes databases, the bus and the logs: nothing but files that a suite makes, by name.
    ///
    /// # Errors
    /// When a file cannot be deleted.
    pub(crate) fn wipe(&self) -> Result<()> {
        for folder in [self.path.clone(), self.path.join("logs")] {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| folder.display().to_string()),
            };
            for entry in entries {
                let path = entry.with_context(|| folder.display().to_string())?.path();
                if path.is_file() && self.is_ours(&path) {
                    fs::remove_file(&path)
                        .with_context(|| format!("cannot delete {}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    fn is_ours(&self, path: &Path) -> bool {
        let mut logs = Member::all(Member::MOST).map(|member| self.log(member));
        let mut databases = Program::ALL.map(|program| self.database(program)).to_vec();
        databases.push(self.bus());
        logs.any(|log| log == path) || databases.iter().any(|database| belongs_to(path, database))
    }
}

/// What SQLite and the bus put beside a database: its journals, its locks, its wake file.
fn belongs_to(path: &Path, database: &Path) -> bool {
    let (Some(path), Some(database)) = (path.to_str(), database.to_str()) else {
        return false;
    };
    let Some(rest) = path.strip_prefix(database) else {
        return false;
    };
    let group = rest.strip_prefix(".group-").and_then(|rest| rest.strip_suffix(".lock"));
    matches!(rest, "" | "-wal" | "-shm" | "-journal" | ".lock" | ".wake") || group.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_takes_what_a_suite_makes_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path()).unwrap();
        dir.create().unwrap();
        let ours = [
            "order.db",
            "order.db-wal",
            "order.db-shm",
            "sandbox.db",
            "bus.db",
            "bus.db.lock",
            "bus.db.wake",
            "bus.db.group-quintet-order.lock",
            "logs/payment.log",
            "logs/payment-3.log",
        ];
        let theirs = ["mine.db", "order.db.bak", "order.dbx", "notes.txt", "logs/other.log"];
        for name in ours.iter().chain(&theirs) {
            fs::write(temp.path().join(name), "x").unwrap();
        }
        dir.wipe().unwrap();
        for name in ours {
            assert!(!temp.path().join(name).exists(), "{name} is still there");
        }
        for name in theirs {
            assert!(temp.path().join(name).exists(), "{name} is gone");
        }
    }

    #[test]
    fn a_second_lock_is_refused_with_the_holders_pid_until_the_first_is_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path()).unwrap();
        let first = dir.lock().unwrap();
        let text = dir.lock().unwrap_err().to_string();
        assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
        drop(first);
        dir.lock().unwrap();
    }

    #[test]
    fn a_path_that_a_url_cannot_hold_is_refused() {
        let text = DataDir::at(Path::new("what?")).unwrap_err().to_string();
        assert!(text.contains("what?") && text.contains("--data"), "{text}");
    }
}
