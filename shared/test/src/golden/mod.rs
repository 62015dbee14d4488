//! Golden records: records of every event version that was ever released, which today's consumers must still understand.
//!
//! A golden record never changes. The saga's own test stores, beside each record, what each consumer does with it.

mod consumer;
mod record;

use std::{
    fs,
    path::{Path, PathBuf},
};

use event::{Contract, EventType as _};

pub use consumer::Consumer;
pub use record::Record;

/// A golden record with its name.
#[derive(Debug, Clone)]
pub struct Golden {
    /// The path of its file without the extension: `trip_booked/v1/plain`.
    pub name: String,
    /// The record.
    pub record: Record,
}

impl Golden {
    /// The name of its event version: `trip_booked/v1`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(version, _)| version)
    }
}

/// All golden records in `root`, sorted by name: `EVENT/vN/CASE`, where EVENT is the folder of the event's schemas.
///
/// # Panics
/// If a record cannot be read or parsed.
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

/// The files of a folder, sorted by name; none if there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
