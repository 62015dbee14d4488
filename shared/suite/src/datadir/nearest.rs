//! Where the data directory is when the user does not name one.

use super::name;
use crate::private;
use std::fs;
use std::path::{Path, PathBuf};

/// The nearest directory of this user's with the usual name, as a path from `here`. Where there is none, it will be made in the root of the
/// checkout that `here` lies in, or here.
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
        // Before there is any: here, or in the root of the checkout.
        assert_eq!(nearest(&deep, None), Path::new(".quintet"));
        assert_eq!(nearest(&deep, Some(&root)), Path::new("../../.quintet"));
        assert_eq!(nearest(&deep, Some(&root.join("elsewhere"))), Path::new(".quintet"));
        fs::create_dir(root.join(".quintet")).unwrap();
        assert_eq!(nearest(&deep, None), Path::new("../../.quintet"));
        assert_eq!(nearest(&root, None), Path::new(".quintet"));
        // A link could lead anywhere.
        std::os::unix::fs::symlink("/tmp", deep.join(".quintet")).unwrap();
        assert_eq!(nearest(&deep, None), Path::new("../../.quintet"));
    }
}
