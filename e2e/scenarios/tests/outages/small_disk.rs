//! Small disks in memory.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A mounted tmpfs. It is unmounted when it is dropped.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

/// A file that fills a disk. It is deleted when it is dropped.
pub(crate) struct Ballast(PathBuf);

impl SmallDisk {
    /// Mounts a disk of this size; `None` if this user may not mount.
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

    /// Makes another user its owner.
    pub(crate) fn give_to(&self, user: &str) {
        let status = Command::new("chown").arg(user).arg(self.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "there is no user {user}");
    }
}

impl Ballast {
    /// Fills the disk of this folder.
    pub(crate) fn on(folder: &Path) -> Self {
        let path = folder.join("ballast");
        let mut file = File::create(&path).expect("room for an empty file");
        // Ever smaller pieces, so that the last bytes are filled too.
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // `--lazy` unmounts the disk although a process may still have a file open on it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
