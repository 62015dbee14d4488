//! The folder `schemas`, read from the disk or from a commit.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SCHEMAS: &str = "schemas";

/// The texts of the folder's files, by paths such as `schemas/order_placed/v1.json`.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<String, String>,
    /// The commit, branch or tag that the files were read from; `None` if they were read from the disk.
    pub(super) rev: Option<String>,
}

/// One version of an event's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    /// The event's folder.
    pub(super) folder: &'a str,
    /// Counted from 1.
    pub(super) number: u32,
}

impl Version<'_> {
    pub(super) fn schema(self) -> String {
        format!("{SCHEMAS}/{}/v{}.json", self.folder, self.number)
    }

    pub(super) fn example(self) -> String {
        format!("{SCHEMAS}/{}/v{}.example.json", self.folder, self.number)
    }

    pub(super) fn id(self) -> String {
        format!("urn:quintet:schemas:{}:v{}", self.folder, self.number)
    }
}

/// The closest folder at or above `here` that holds `schemas`.
pub(super) fn root(here: &Path) -> Result<PathBuf> {
    let root = here.ancestors().find(|folder| folder.join(SCHEMAS).is_dir());
    let root = root.with_context(|| {
        format!("there is no folder `{SCHEMAS}` here or above: run it in a checkout")
    })?;
    Ok(root.to_owned())
}

impl Tree {
    pub(super) fn on_disk(root: &Path) -> Result<Self> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![root.join(SCHEMAS)]);
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder);
            for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path);
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                files.insert(name, text);
            }
        }
        Ok(Self { files, rev: None })
    }

    /// Reads the folder from a commit of the repository that contains `root`.
    pub(super) fn at(root: &Path, rev: &str) -> Result<Self> {
        let commit = format!("{rev}^{{commit}}");
        let commit = git(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        let commit = commit.with_context(|| format!("--against: git knows no commit `{rev}`"))?;
        let commit = commit.trim();
        let names = git(root, &["ls-tree", "-r", "-z", "--name-only", commit, "--", SCHEMAS])?;
        let mut files = BTreeMap::new();
        for name in names.split_terminator('\0') {
            let text = git(root, &["cat-file", "blob", &format!("{commit}:./{name}")])?;
            files.insert(name.to_owned(), text);
        }
        ensure!(!files.is_empty(), "`{rev}` has no folder `{SCHEMAS}`");
        Ok(Self { files, rev: Some(rev.to_owned()) })
    }

    /// All versions for which there is a schema, in ascending order.
    pub(super) fn schemas(&self) -> impl Iterator<Item = Version<'_>> {
        let names = self.files.keys().filter_map(|name| version(name));
        let mut versions: Vec<_> = names.filter(|(_, is_example)| !is_example).collect();
        versions.sort_unstable();
        versions.into_iter().map(|(version, _)| version)
    }

    /// The latest version of each event.
    pub(super) fn latest(&self, folder: &str) -> Option<Version<'_>> {
        self.schemas().filter(|version| version.folder == folder).last()
    }

    /// The file as JSON; `None` if it is missing or is not JSON.
    pub(super) fn json(&self, file: &str) -> Option<Value> {
        serde_json::from_str(self.files.get(file)?).ok()
    }
}

/// The version that a file belongs to, and whether the file is its example.
pub(super) fn version(file: &str) -> Option<(Version<'_>, bool)> {
    let (folder, name) = file.strip_prefix(SCHEMAS)?.strip_prefix('/')?.split_once('/')?;
    let name = name.strip_suffix(".json")?;
    let plain = name.strip_suffix(".example");
    let number: u32 = plain.unwrap_or(name).strip_prefix('v')?.parse().ok()?;
    // `v01` and `v+1` parse as numbers too, but are not how the path of a version is written.
    let version = Version { folder, number };
    let written = if plain.is_some() { version.example() } else { version.schema() };
    (written == file).then_some((version, plain.is_some()))
}

/// Whether a file belongs to the crate `contracts`, which shares the folder with the schemas.
pub(super) fn is_of_crate(file: &str) -> bool {
    let of_crate = ["Cargo.toml", "README.md"].map(|name| format!("{SCHEMAS}/{name}"));
    let folders = ["src", "tests"].map(|name| format!("{SCHEMAS}/{name}/"));
    of_crate.iter().any(|name| name == file) || folders.iter().any(|it| file.starts_with(it))
}

fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    let git = git.arg("-C").arg(root).args(arguments).stdin(Stdio::null());
    let output = git.output().context("cannot run git")?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("git {}: {}", arguments.first().unwrap_or(&""), stderr.trim());
    }
    String::from_utf8(output.stdout).context("git printed a file that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_files_name() {
        let version_of = |file| version(file).map(|(version, example)| (version.number, example));
        assert_eq!(version_of("schemas/order_placed/v12.json"), Some((12, false)));
        assert_eq!(version_of("schemas/order_placed/v1.example.json"), Some((1, true)));
        for stray in ["schemas/README.md", "schemas/a/v01.json", "schemas/a/b/v1.json", "v1.json"] {
            assert_eq!(version_of(stray), None, "{stray}");
        }
    }

    #[test]
    fn files_of_the_crate_are_no_schemas() {
        for file in ["Cargo.toml", "README.md", "src/lib.rs", "tests/contract/wire.rs"] {
            assert!(is_of_crate(&format!("schemas/{file}")), "{file}");
        }
        for file in ["schemas/order_placed/v1.json", "schemas/notes.txt", "src/lib.rs"] {
            assert!(!is_of_crate(file), "{file}");
        }
    }
}
