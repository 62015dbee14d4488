//! Watches the files of a running suite. A process can go on writing to a file that was deleted, and these writes are lost
//! when it ends. The launcher therefore stops the suite as soon as one of its files is deleted or replaced.

use crate::datadir::DataDir;
use crate::suite::Suite;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

const POLL: Duration = Duration::from_millis(250);

/// The data directory, its lock, and the databases that are files, with the identity of each.
#[derive(Debug)]
pub(super) struct SuiteFiles(Vec<(PathBuf, Identity)>);

/// The device and the inode number of a file. They differ for another file of the same name.
type Identity = (u64, u64);

impl SuiteFiles {
    /// The files of the suite that exist now.
    pub(super) fn of(dir: &DataDir, suite: &Suite) -> Self {
        let databases = suite.services.values().map(|service| service.database.as_str());
        let files = databases.chain([suite.bus.url.as_str()]).filter_map(file);
        let providers = suite.providers.keys().map(|provider| dir.database(*provider));
        let own = [dir.path().to_owned(), dir.lock_file()];
        let all = own.into_iter().chain(providers).chain(files);
        Self(all.filter_map(|path| Some((path.clone(), identity(&path)?))).collect())
    }

    /// Waits until a file is deleted or replaced, and returns its path.
    pub(super) async fn lost(&self) -> PathBuf {
        loop {
            let lost = self.0.iter().find(|(path, known)| identity(path) != Some(*known));
            if let Some((path, _)) = lost {
                return path.clone();
            }
            sleep(POLL).await;
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The path in a URL `sqlite:PATH` or `log:PATH`.
fn file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:").or_else(|| url.strip_prefix("log:"))?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_deleted_or_replaced_file_is_reported() {
        let temp = tempfile::tempdir().unwrap();
        let paths = ["a.db", "b.db"].map(|name| temp.path().join(name));
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        let all = || {
            let known = paths.iter().map(|path| (path.clone(), identity(path).unwrap()));
            SuiteFiles(known.collect())
        };
        let known = all();
        assert!(timeout(Duration::ZERO, known.lost()).await.is_err());
        fs::remove_file(&paths[1]).unwrap();
        assert_eq!(known.lost().await, paths[1]);
        fs::write(&paths[1], "").unwrap();
        let known = all();
        fs::rename(&paths[1], &paths[0]).unwrap();
        assert_eq!(known.lost().await, paths[0]);
    }

    #[test]
    fn only_urls_of_files_have_a_path() {
        assert_eq!(file("sqlite:/d/booking.db"), Some("/d/booking.db".into()));
        assert_eq!(file("sqlite:///d/booking.db"), Some("/d/booking.db".into()));
        assert_eq!(file("log:/d/bus.db"), Some("/d/bus.db".into()));
        assert_eq!(file("postgres://db/trip_booking"), None);
        assert_eq!(file("kafka:localhost:9092"), None);
    }
}
