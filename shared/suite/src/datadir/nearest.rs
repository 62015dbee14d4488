//! Finds the data directory if the user does not name one.

use super::name;
use crate::private;
use std::fs;
use std::path::{Path, PathBuf};

/// The nearest directory with the default name that belongs to this user, in `here` or one of its parents, as a path from
/// `here`. If there is none, it is the path of a new one: in the root of the checkout that contains `here`, else in `here`.
pub(super) fn nearest(here: &Path, checkout: Option<&Path>) -> PathBuf {
    let up = |levels: usize| -> PathBuf { std::iter::repeat_n("..", levels).collect() };
    let name = name();
    let is_there = |folder: &Path| {
        let found = fs::symlink_metadata(folder.join(&name));
        found.is_ok_and(|found| found.is_dir() && private::is_ours(&found))
    };
    let found = here.ancestors().position(is_there);
    let root = || here.ancestors().position(|folder| Some(folder) == checkout);
    up(found.or_else(root).unwrap_or(0)).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_is_found_from_a_sub_folder() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let deep = root.join("services/booking");
        fs::create_dir_all(&deep).unwrap();
        // There is none yet.
        assert_eq!(nearest(&deep, None), Path::new(".quintet"));
        assert_eq!(nearest(&deep, Some(&root)), Path::new("../../.quintet"));
        assert_eq!(nearest(&deep, Some(&root.join("elsewhere"))), Path::new(".quintet"));
        fs::create_dir(root.join(".quintet")).unwrap();
        assert_eq!(nearest(&deep, None), Path::new("../../.quintet"));
        assert_eq!(nearest(&root, None), Path::new(".quintet"));
        // A symbolic link does not count, since it could lead anywhere.
        std::os::unix::fs::symlink("/tmp", deep.join(".quintet")).unwrap();
        assert_eq!(nearest(&deep, None), Path::new("../../.quintet"));
    }
}
