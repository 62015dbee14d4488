//! The data directory of a suite: its path, its lock, and the files of the suite in it.

mod nearest;
#[cfg(test)]
mod tests;

use crate::component::{Component, Member};
use crate::invocation;
use crate::manifest::Manifest;
use crate::private;
use anyhow::{Context, Result, bail};
use nearest::nearest;
use rustix::process::geteuid;
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The default name of the data directory, such as `.trip`. It contains the program's name, so that several programs can
/// have their data in the same folder.
pub(crate) fn name() -> String {
    format!(".{}", invocation::name())
}

const CONTROL: &str = "control.sock";
/// The longest path of a Unix socket, in bytes. The system's limit is 108 on Linux and 104 elsewhere.
const SOCKET_PATH: usize = 100;

/// A data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    /// The absolute path, which is valid also for programs with another working directory.
    path: PathBuf,
    /// The path as the user wrote it.
    shown: PathBuf,
    /// Whether the user named it by `--data`.
    chosen: bool,
}

/// The lock of a data directory, held as long as a suite runs on it. The system releases it even if the process is killed.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory that the user chose; by default the nearest one of this program, in the working directory or one of its
    /// parents, as cargo looks for a manifest.
    ///
    /// # Errors
    /// If its path is not usable.
    pub fn find(chosen: Option<&Path>) -> Result<Self> {
        if let Some(path) = chosen {
            return Self::at(path);
        }
        let here = std::env::current_dir().context("cannot tell which folder this is")?;
        let shown = nearest(&here, invocation::checkout());
        Ok(Self { chosen: false, ..Self::at(&shown)? })
    }

    /// A data directory within this one, for a second suite.
    ///
    /// # Errors
    /// If its path is not usable.
    pub fn beside(&self, name: &str) -> Result<Self> {
        Self::at(&self.shown.join(name))
    }

    /// The directory at `path`, which need not exist.
    ///
    /// # Errors
    /// If it cannot be made absolute, or contains characters with a meaning in a `sqlite:` URL.
    pub fn at(path: &Path) -> Result<Self> {
        let absolute = std::path::absolute(path)
            .with_context(|| format!("--data {} is not a usable path", path.display()))?;
        match absolute.to_str() {
            Some(text) if !text.contains(['?', '%', '#']) => {}
            _ => bail!(
                "--data {}: the path must be UTF-8 without `?`, `%` and `#`, which mean something in a database URL",
                absolute.display()
            ),
        }
        Ok(Self { path: absolute, shown: path.to_owned(), chosen: true })
    }

    /// The path as the user wrote it.
    #[must_use]
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The option ` --data DIR`, quoted for a shell, if a command needs it to find this directory; else nothing.
    #[must_use]
    pub fn argument(&self) -> String {
        if self.chosen {
            format!(" --data {}", invocation::quoted(&self.shown))
        } else {
            String::new()
        }
    }

    /// The absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the directory, or of a file in it, as the user would write it.
    #[must_use]
    pub fn shown_path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.path) {
            Ok(within) if within.as_os_str().is_empty() => self.shown.clone(),
            Ok(within) => self.shown.join(within),
            Err(_) => path.to_owned(),
        }
    }

    /// The file that a running launcher has locked.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.path.join("up.lock")
    }

    /// `up.json`.
    #[must_use]
    pub fn suite_file(&self) -> PathBuf {
        self.path.join("up.json")
    }

    pub(crate) fn database(&self, component: Component) -> PathBuf {
        self.path.join(format!("{component}.db"))
    }

    /// The file of the embedded log, which is the bus of a suite without Kafka.
    #[must_use]
    pub fn bus(&self) -> PathBuf {
        self.path.join("bus.db")
    }

    pub(crate) fn log(&self, member: Member) -> PathBuf {
        self.path.join("logs").join(format!("{member}.log"))
    }

    /// The path of a process' log as the user would write it.
    pub(crate) fn shown_log(&self, member: Member) -> PathBuf {
        self.shown_path(&self.log(member))
    }

    /// The names of all processes that have a log, in the order of the alphabet.
    ///
    /// # Errors
    /// If the folder cannot be read. It need not exist.
    pub(crate) fn logs(&self) -> Result<Vec<String>> {
        let folder = self.path.join("logs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| folder.display().to_string()),
        };
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".log")?.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    /// The path of the launcher's control socket. It is in the data directory. If that path is too long for a socket, it is in
    /// a folder of this user below the system's temporary folder.
    pub(crate) fn control_socket(&self) -> PathBuf {
        let usual = self.path.join(CONTROL);
        if usual.as_os_str().len() <= SOCKET_PATH {
            return usual;
        }
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        let name = format!("quintet-{}-{:016x}", geteuid().as_raw(), hasher.finish());
        std::env::temp_dir().join(name).join(CONTROL)
    }

    /// Creates the directory if it is missing, and denies it to other users. Returns a warning for each folder that other
    /// users could enter before.
    ///
    /// # Errors
    /// If the directory, or a file of a suite in it, is a symbolic link or belongs to another user.
    pub(crate) fn create(&self, manifest: &Manifest) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let logs = self.shown.join("logs");
        for (path, shown) in [(&self.path, &self.shown), (&self.path.join("logs"), &logs)] {
            if let Some(mode) = private::directory(path, shown)? {
                let shown = shown.display();
                warnings.push(format!(
                    "other users could enter {shown} (mode {mode:o}); its mode is 700 now"
                ));
            }
        }
        self.check_files(manifest)?;
        Ok(warnings)
    }

    fn check_files(&self, manifest: &Manifest) -> Result<()> {
        for folder in ["", "logs"] {
            let path = self.path.join(folder);
            let entries = fs::read_dir(&path).with_context(|| path.display().to_string())?;
            for entry in entries {
                let path = entry.with_context(|| path.display().to_string())?.path();
                if self.is_suites(&path, manifest) || self.is_launchers(&path) {
                    private::check_if_there(&path, &self.shown_path(&path))?;
                }
            }
        }
        Ok(())
    }

    /// Whether the file is one that the launcher creates.
    fn is_launchers(&self, path: &Path) -> bool {
        let names = ["up.json", "up.json.tmp", "up.lock", CONTROL];
        names.iter().any(|name| self.path.join(name) == path)
    }

    /// Locks the directory for this process.
    ///
    /// # Errors
    /// If another `up` has locked it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.lock_file();
        let name = || format!("cannot lock {}", path.display());
        let mut file = private::file()
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
                    "{} is in use by another `{} up` (pid {}): stop that one, or take another --data",
                    self.shown.display(),
                    crate::invocation::name(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(name),
        }
        file.set_len(0).and_then(|()| file.rewind()).with_context(name)?;
        writeln!(file, "{}", std::process::id()).with_context(name)?;
        Ok(Lock { _file: file })
    }

    /// Deletes the databases, the bus and the logs. It decides by the names, and leaves all other files alone.
    ///
    /// # Errors
    /// If a file cannot be deleted.
    pub fn wipe(&self, manifest: &Manifest) -> Result<()> {
        for folder in [self.path.clone(), self.path.join("logs")] {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| folder.display().to_string()),
            };
            for entry in entries {
                let path = entry.with_context(|| folder.display().to_string())?.path();
                if path.is_file() && self.is_suites(&path, manifest) {
                    fs::remove_file(&path)
                        .with_context(|| format!("cannot delete {}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Whether the file is a log or a database of the suite.
    fn is_suites(&self, path: &Path, manifest: &Manifest) -> bool {
        let mut logs = manifest.members(Member::MOST).map(|member| self.log(member));
        let mut databases: Vec<PathBuf> =
            manifest.components().map(|component| self.database(component)).collect();
        databases.push(self.bus());
        logs.any(|log| log == path) || databases.iter().any(|database| belongs_to(path, database))
    }
}

/// Whether the file is the database, or one of those that SQLite and the bus put beside it: journals, locks, the wake file.
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
