//! Records of every event version that was ever released, and today's consumers, which hear them.
//!
//! A golden record never changes. What each consumer does in answer to it is written down beside it by the saga's
//! own test.

mod consumer;
mod record;

use std::{
    fs,
    path::{Path, PathBuf},
};

use event::{Contract, EventType as _};

pub use consumer::Consumer;
pub use record::Record;

/// A record that was released: it never changes.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Where it lies: `trip_booked/v1/plain`.
    pub name: String,
    /// What it is.
    pub record: Record,
}

impl Golden {
    /// The name of its version: `trip_booked/v1`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(version, _)| version)
    }
}

/// All records in `root`, by name: `EVENT/vN/CASE`, where EVENT is the folder of the event's schemas.
///
/// # Panics
/// If a record cannot be read, or is something else.
#[must_use]
pub fn golden<C: Contract>(root: &Path) -> Vec<Golden> {
    let mut all = Vec::new();
    for schema in C::schemas() {
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
