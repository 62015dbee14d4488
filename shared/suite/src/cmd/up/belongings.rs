//! The files that a running suite cannot do without. A process goes on writing to a deleted file, and what it writes is
//! lost when it ends: so the launcher looks whether they are still there.

use crate::datadir::DataDir;
use crate::suite::Suite;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

const POLL: Duration = Duration::from_millis(250);

/// The directory, the lock, and the databases that are files; each with what tells it from another of its name.
#[derive(Debug)]
pub(super) struct Belongings(Vec<(PathBuf, Identity)>);

/// The device and the number of a file on it.
type Identity = (u64, u64);

impl Belongings {
    /// Those that are there now.
    pub(super) fn of(dir: &DataDir, suite: &Suite) -> Self {
        let databases = suite.services.values().map(|service| service.database.as_str());
        let files = databases.chain([suite.bus.url.as_str()]).filter_map(file);
        let providers = suite.providers.keys().map(|provider| dir.database(*provider));
        let own = [dir.path().to_owned(), dir.lock_file()];
        let all = own.into_iter().chain(providers).chain(files);
        Self(all.filter_map(|path| Some((path.clone(), identity(&path)?))).collect())
    }

    /// Waits until one is gone, or another lies in its place.
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

/// The file behind `sqlite:PATH` and `log:PATH`.
fn file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:").or_else(|| url.strip_prefix("log:"))?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_file_that_is_gone_or_replaced_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let paths = ["a.db", "b.db"].map(|name| temp.path().join(name));
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        let all = || {
            let known = paths.iter().map(|path| (path.clone(), identity(path).unwrap()));
            Belongings(known.collect())
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
    fn only_what_is_a_file_is_looked_at() {
        assert_eq!(file("sqlite:/d/booking.db"), Some("/d/booking.db".into()));
        assert_eq!(file("sqlite:///d/booking.db"), Some("/d/booking.db".into()));
        assert_eq!(file("log:/d/bus.db"), Some("/d/bus.db".into()));
        assert_eq!(file("postgres://db/trip_booking"), None);
        assert_eq!(file("kafka:localhost:9092"), None);
    }
}
