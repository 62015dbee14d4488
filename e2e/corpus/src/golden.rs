use std::{
    fs,
    path::{Path, PathBuf},
};

use contracts::SCHEMAS;

use crate::Record;

/// A record that was released: it never changes.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Where it lies: `order_placed/v1/plain`.
    pub name: String,
    /// What it is.
    pub record: Record,
}

impl Golden {
    /// The name of its version: `order_placed/v1`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(version, _)| version)
    }
}

/// All of them, by name.
///
/// # Panics
/// If the folder cannot be read, or holds something else.
#[must_use]
pub fn golden() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut all = Vec::new();
    for schema in &SCHEMAS {
        let version = format!("{}/v{}", schema.event_type.folder(), schema.version);
        for path in files(&root.join(&version)) {
            let case = path.file_stem().expect("a name").to_string_lossy();
            let name = format!("{version}/{case}");
            let file = fs::read(&path).expect("a readable file");
            all.push(Golden { name, record: Record::parse(&file) });
        }
    }
    all
}

/// The files of a folder, by name; none if it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
