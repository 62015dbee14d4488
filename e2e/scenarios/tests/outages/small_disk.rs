//! Small disks in memory, where this user may have them.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A tmpfs of its own, gone when it is dropped.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

/// What keeps a disk full.
pub(crate) struct Ballast(PathBuf);

impl SmallDisk {
    /// One of so many mebibytes; `None` where nobody may mount.
    pub(crate) fn of_mib(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("quintet-disk-").tempdir().expect("a folder");
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "quintet"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes it another user's.
    pub(crate) fn give_to(&self, user: &str) {
        let status = Command::new("chown").arg(user).arg(self.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "there is no user {user}");
    }
}

impl Ballast {
    /// Takes all the room that is left on the disk of this folder, until it is dropped.
    pub(crate) fn on(folder: &Path) -> Self {
        let path = folder.join("ballast");
        let mut file = File::create(&path).expect("room for a name");
        // The last bytes too, which a larger piece does not fit into.
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once, also while somebody has a file open on it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
