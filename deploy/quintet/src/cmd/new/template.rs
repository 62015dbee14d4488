//! The files of a new saga. The template is a working saga called `my-saga`, in which the name and the library are replaced.

use super::library::Library;
use super::name::Name;
use anyhow::Result;
use std::collections::BTreeMap;

/// A file of the template, below `templates/saga`.
struct File {
    /// Its path in a new saga.
    path: &'static str,
    text: &'static str,
}

macro_rules! template {
    ($($path:literal,)+) => {
        [$(template!($path as $path)),+]
    };
    ($path:literal as $written:literal) => {
        File { path: $written, text: include_str!(concat!("../../../templates/saga/", $path)) }
    };
}

/// Files whose names differ in the template. Cargo would take a folder with a `Cargo.toml` for another package and leave it
/// out of this one, and git would obey the `.gitignore`.
const RENAMED: [File; 2] =
    [template!("Cargo.toml.template" as "Cargo.toml"), template!("gitignore" as ".gitignore")];

const AS_THEY_ARE: [File; 33] = template![
    "README.md",
    "config/seats.toml",
    "config/tickets.toml",
    "migrations/seats/postgres/1000_seat.sql",
    "migrations/seats/sqlite/1000_seat.sql",
    "migrations/tickets/postgres/1000_ticket.sql",
    "migrations/tickets/sqlite/1000_ticket.sql",
    "schemas/seat_held/v1.example.json",
    "schemas/seat_held/v1.json",
    "schemas/ticket_cancelled/v1.example.json",
    "schemas/ticket_cancelled/v1.json",
    "schemas/ticket_requested/v1.example.json",
    "schemas/ticket_requested/v1.json",
    "schemas/ticket_sold/v1.example.json",
    "schemas/ticket_sold/v1.json",
    "src/contract.rs",
    "src/invariants.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/seats/mod.rs",
    "src/seats/on/mod.rs",
    "src/seats/on/ticket_requested.rs",
    "src/seats/on/ticket_sold.rs",
    "src/seats/undo/mod.rs",
    "src/seats/undo/ticket_cancelled.rs",
    "src/support.rs",
    "src/tickets/http.rs",
    "src/tickets/mod.rs",
    "src/tickets/on/mod.rs",
    "src/tickets/on/request_ticket.rs",
    "src/tickets/on/seat_held.rs",
    "suite.toml",
    "tests/saga.rs",
];

/// The files of a saga of this name, by their paths in it.
pub(super) fn files(name: &Name, library: &Library) -> Result<BTreeMap<String, String>> {
    let (facade, test) = (library.facade()?, library.test()?);
    let filled = |text: &str| {
        text.replace("my-saga", name.as_str())
            .replace("my_saga", &name.crate_name())
            .replace("MY_SAGA", &name.variable_prefix())
    };
    let mut files: BTreeMap<String, String> = RENAMED
        .iter()
        .chain(&AS_THEY_ARE)
        .map(|File { path, text }| ((*path).to_owned(), filled(text)))
        .collect();
    if let Some(manifest) = files.get_mut("Cargo.toml") {
        *manifest = manifest
            .replace("quintet = QUINTET", &format!("quintet = {facade}"))
            .replace("quintet-test = QUINTET_TEST", &format!("quintet-test = {test}"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|it| if it.is_dir() { files_below(&it) } else { vec![it] }).collect()
    }

    #[test]
    fn every_file_of_the_template_folder_is_written() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/saga");
        let mut found: Vec<String> = files_below(&folder)
            .iter()
            .map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap())
            .map(|path| match path {
                "Cargo.toml.template" => "Cargo.toml".to_owned(),
                "gitignore" => ".gitignore".to_owned(),
                other => other.to_owned(),
            })
            .collect();
        found.sort();
        let files = files(&"shop".parse().unwrap(), &Library::Registry).unwrap();
        assert_eq!(files.into_keys().collect::<Vec<_>>(), found);
    }

    #[test]
    fn the_name_and_the_library_are_filled_in() {
        let library = Library::Checkout("/opt/quintet".into());
        let files = files(&"box-office".parse().unwrap(), &library).unwrap();
        for (path, text) in &files {
            for placeholder in ["my-saga", "my_saga", "MY_SAGA", "QUINTET"] {
                assert!(!text.contains(placeholder), "{path} has {placeholder}");
            }
        }
        let has = |path: &str, text: &str| assert!(files[path].contains(text), "{}", files[path]);
        has("Cargo.toml", "name = \"box-office\"");
        has("Cargo.toml", "quintet = { path = \"/opt/quintet/shared/quintet\" }");
        has("Cargo.toml", "quintet-test = { path = \"/opt/quintet/shared/test\" }");
        has("src/main.rs", "use box_office::");
        has("config/seats.toml", "BOX_OFFICE_SEATS__LISTEN");
        has("schemas/seat_held/v1.json", "urn:box-office:schemas:seat_held:v1");
    }
}
