//! Files and directories that only the user who runs the suite may read.
//!
//! Databases contain addresses and mail addresses, `up.json` may contain passwords, and services can be stopped over the
//! control socket.

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::process::{geteuid, umask};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const OWNER_ONLY: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// Makes all new files of this process, and of the programs that it starts, accessible to this user alone.
pub(crate) fn restrict_new_files() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Options for opening a file: a new one is accessible to this user alone, and a symbolic link is refused.
pub(crate) fn file() -> OpenOptions {
    let mut options = File::options();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Creates the directory if it is missing, and denies it to other users. Returns its former mode if that allowed access
/// to other users.
///
/// # Errors
/// If it is a symbolic link, belongs to another user, or cannot be created.
pub(crate) fn directory(path: &Path, shown: &Path) -> Result<Option<u32>> {
    let path = &without_trailing_slash(path);
    let name = || format!("cannot create the directory {}", shown.display());
    match fs::symlink_metadata(path) {
        Ok(found) => check(&found, path, shown)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(OWNER_ONLY).create(path).with_context(name)?;
        }
        Err(error) => return Err(error).with_context(name),
    }
    // The mode is changed through the open directory: its path could be replaced after the check.
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    let directory = File::options().read(true).custom_flags(flags).open(path).with_context(name)?;
    let found = directory.metadata().with_context(name)?;
    check(&found, path, shown)?;
    let mode = found.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(None);
    }
    let close = || format!("cannot close {} to other users", shown.display());
    directory.set_permissions(Permissions::from_mode(OWNER_ONLY)).with_context(close)?;
    Ok(Some(mode))
}

/// Checks that a file or directory at the path, if there is one, is no symbolic link and belongs to this user.
///
/// # Errors
/// What it is instead, and what to do.
pub(crate) fn check_if_there(path: &Path, shown: &Path) -> Result<()> {
    let path = without_trailing_slash(path);
    match fs::symlink_metadata(&path) {
        Ok(found) => check(&found, &path, shown),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", shown.display())),
    }
}

/// The path without slashes and dots at its end. With them, the system would follow a symbolic link.
fn without_trailing_slash(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Whether this user owns the file.
pub(crate) fn is_ours(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw()
}

fn check(found: &Metadata, path: &Path, shown: &Path) -> Result<()> {
    let shown = shown.display();
    if found.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        bail!(
            "{shown} is a symbolic link to {}: put what it names in its place, or choose another directory by --data",
            target.display()
        );
    }
    if !is_ours(found) {
        bail!(
            "{shown} belongs to user {}, and this is user {}: choose another directory by --data, or change its owner",
            found.uid(),
            geteuid().as_raw()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_private_and_an_existing_one_is_made_private() {
        let temp = tempfile::tempdir().unwrap();
        let new = temp.path().join("a/b");
        assert_eq!(directory(&new, &new).unwrap(), None);
        assert_eq!(mode(&new), 0o700);
        fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(directory(&new, &new).unwrap(), Some(0o755));
        assert_eq!(mode(&new), 0o700);
        assert_eq!(directory(&new, &new).unwrap(), None);
    }

    #[test]
    fn a_symbolic_link_is_refused_as_directory_and_as_file() {
        let temp = tempfile::tempdir().unwrap();
        let (target, link) = (temp.path().join("target"), temp.path().join("link"));
        fs::create_dir(&target).unwrap();
        symlink(&target, &link).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o755)).unwrap();
        for end in ["", "/", "/.", "//", "/./"] {
            let link = PathBuf::from(format!("{}{end}", link.display()));
            let error = directory(&link, &link).unwrap_err().to_string();
            assert!(error.contains("is a symbolic link to "), "{error}");
            assert!(error.contains("--data"), "{error}");
            assert!(check_if_there(&link, &link).is_err(), "{link:?}");
        }
        assert_eq!(mode(&target), 0o755);

        let (target, link) = (temp.path().join("file"), temp.path().join("to-file"));
        fs::write(&target, "unchanged").unwrap();
        symlink(&target, &link).unwrap();
        assert!(check_if_there(&link, &link).is_err());
        assert!(file().write(true).create(true).open(&link).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "unchanged");
        check_if_there(&temp.path().join("nothing"), Path::new("nothing")).unwrap();
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        // If root runs the test, it makes a directory for another user; other users take root's own.
        let of_root = Path::new("/etc");
        let found = fs::metadata(of_root).unwrap();
        if is_ours(&found) {
            let temp = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(temp.path(), Some(65_534), None).unwrap();
            let error = directory(temp.path(), temp.path()).unwrap_err().to_string();
            assert!(error.contains("belongs to user 65534"), "{error}");
        } else {
            let error = directory(of_root, of_root).unwrap_err().to_string();
            assert!(error.contains("belongs to user 0"), "{error}");
        }
    }
}
