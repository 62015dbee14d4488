//! Files and directories that only the user who runs the suite may read.
//!
//! Databases hold addresses and mail addresses, `up.json` may hold passwords, and the control socket stops services.

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::process::{geteuid, umask};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const OWNER_ONLY: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// From now on this process and the programs that it starts create files for this user alone.
pub(crate) fn restrict_new_files() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Options that create a file for this user alone and refuse to open a symbolic link.
pub(crate) fn file() -> OpenOptions {
    let mut options = File::options();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Makes the directory where it is missing, and closes it to other users. Answers the mode that it had, where that let
/// other users in.
///
/// # Errors
/// When it is a symbolic link, belongs to another user, or cannot be made.
pub(crate) fn directory(path: &Path, shown: &Path) -> Result<Option<u32>> {
    let path = &itself(path);
    let name = || format!("cannot create the directory {}", shown.display());
    match fs::symlink_metadata(path) {
        Ok(found) => check(&found, path, shown)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(OWNER_ONLY).create(path).with_context(name)?;
        }
        Err(error) => return Err(error).with_context(name),
    }
    // From here on the open directory is meant, whatever its name comes to mean.
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

/// Checks that what lies at the path, if anything does, is no symbolic link and belongs to this user.
///
/// # Errors
/// What it is instead, and what to do.
pub(crate) fn check_if_there(path: &Path, shown: &Path) -> Result<()> {
    let path = itself(path);
    match fs::symlink_metadata(&path) {
        Ok(found) => check(&found, &path, shown),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", shown.display())),
    }
}

/// The path without a slash or a dot at its end, for which the system would follow a symbolic link.
fn itself(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Whether this user owns it.
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
    fn a_directory_is_made_for_its_owner_alone_and_an_open_one_is_closed() {
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
    fn a_link_is_not_followed_as_directory_or_as_file() {
        let temp = tempfile::tempdir().unwrap();
        let (target, link) = (temp.path().join("target"), temp.path().join("link"));
        fs::create_dir(&target).unwrap();
        symlink(&target, &link).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o755)).unwrap();
        for end in ["", "/", "/.", "//", "/./"] {
            let link = PathBuf::from(format!("{}{end}", link.display()));
            let said = directory(&link, &link).unwrap_err().to_string();
            assert!(said.contains("is a symbolic link to ") && said.contains("--data"), "{said}");
            assert!(check_if_there(&link, &link).is_err(), "{link:?}");
        }
        assert_eq!(mode(&target), 0o755);

        let (file_there, to_file) = (temp.path().join("file"), temp.path().join("to-file"));
        fs::write(&file_there, "theirs").unwrap();
        symlink(&file_there, &to_file).unwrap();
        assert!(check_if_there(&to_file, &to_file).is_err());
        assert!(file().write(true).create(true).open(&to_file).is_err());
        assert_eq!(fs::read_to_string(&file_there).unwrap(), "theirs");
        check_if_there(&temp.path().join("nothing"), Path::new("nothing")).unwrap();
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        // Root's own directory for a user's test, any other user's for root.
        let theirs = Path::new("/etc");
        let found = fs::metadata(theirs).unwrap();
        if is_ours(&found) {
            let temp = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(temp.path(), Some(65_534), None).unwrap();
            let said = directory(temp.path(), temp.path()).unwrap_err().to_string();
            assert!(said.contains("belongs to user 65534"), "{said}");
        } else {
            let said = directory(theirs, theirs).unwrap_err().to_string();
            assert!(said.contains("belongs to user 0"), "{said}");
        }
    }
}
