//! Reads the names of the files in a folder of migrations, and refuses wrong ones.

use std::{fs, path::Path};

/// The migrations of a service. Both databases have files of the same names.
#[derive(Debug, PartialEq)]
pub(crate) struct Folder {
    pub(crate) sqlite: Vec<File>,
    pub(crate) postgres: Vec<File>,
}

/// One migration.
#[derive(Debug, PartialEq)]
pub(crate) struct File {
    pub(crate) version: i64,
    /// The words after the version, separated by spaces.
    pub(crate) description: String,
    pub(crate) name: String,
}

impl Folder {
    /// Reads `folder/sqlite` and `folder/postgres`, in the order of versions. An error names the file and the
    /// fix.
    pub(crate) fn read(crate_directory: &Path, folder: &str) -> Result<Self, String> {
        let (sqlite, postgres) = (format!("{folder}/sqlite"), format!("{folder}/postgres"));
        let read = Self {
            sqlite: files(crate_directory, &sqlite)?,
            postgres: files(crate_directory, &postgres)?,
        };
        require_all(&read.sqlite, &sqlite, &read.postgres, &postgres)?;
        require_all(&read.postgres, &postgres, &read.sqlite, &sqlite)?;
        Ok(read)
    }
}

fn files(crate_directory: &Path, folder: &str) -> Result<Vec<File>, String> {
    let unreadable = |error| {
        format!("cannot read the folder {folder}, which is relative to Cargo.toml: {error}")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(crate_directory.join(folder)).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        // Such as .gitkeep or .DS_Store.
        if !name.starts_with('.') {
            files.push(File::named(&name).map_err(|why| format!("{folder}/{name}: {why}"))?);
        }
    }
    if files.is_empty() {
        return Err(format!("{folder} has no migration: add one, such as 1000_first.sql"));
    }
    files.sort_by_key(|file| file.version);
    for pair in files.windows(2) {
        if let [first, second] = pair
            && first.version == second.version
        {
            let (first, second) = (&first.name, &second.name);
            return Err(format!(
                "{folder}: {first} and {second} have the same version: give each its own"
            ));
        }
    }
    Ok(files)
}

/// Fails if a file of one database is missing for the other one.
fn require_all(
    files: &[File],
    folder: &str,
    others: &[File],
    other_folder: &str,
) -> Result<(), String> {
    match files.iter().find(|file| !others.contains(file)) {
        None => Ok(()),
        Some(File { name, .. }) => Err(format!(
            "{folder}/{name} exists and {other_folder}/{name} does not: add it (a comment alone is enough \
             if there is nothing to change)"
        )),
    }
}

impl File {
    /// Reads a name of the form `VERSION_DESCRIPTION.sql`.
    fn named(name: &str) -> Result<Self, String> {
        let stem = name.strip_suffix(".sql").filter(|stem| !stem.contains('.'));
        let (version, words) = stem.and_then(|stem| stem.split_once('_')).ok_or(FORM)?;
        if words.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FORM.to_owned());
        }
        match version.parse() {
            Ok(version @ 1..) => {
                Ok(Self { version, description: words.replace('_', " "), name: name.to_owned() })
            }
            _ => Err(format!("the version {version:?} must be from 1 to {}", i64::MAX)),
        }
    }
}

const FORM: &str = "name it VERSION_DESCRIPTION.sql, such as 1000_trips.sql (migrations only go forward: \
                    there is no .up.sql or .down.sql)";

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads folders that have files of these names.
    fn read(sqlite: &[&str], postgres: &[&str]) -> Result<Folder, String> {
        let directory = tempfile::tempdir().unwrap();
        for (kind, names) in [("sqlite", sqlite), ("postgres", postgres)] {
            let folder = directory.path().join("migrations").join(kind);
            fs::create_dir_all(&folder).unwrap();
            for name in names {
                fs::write(folder.join(name), "select 1").unwrap();
            }
        }
        Folder::read(directory.path(), "migrations")
    }

    fn refusal(names: &[&str]) -> String {
        read(names, names).unwrap_err()
    }

    #[test]
    fn files_are_in_the_order_of_versions_whatever_the_order_of_their_names() {
        let names = ["1000_trips.sql", "0002_dead_letters.sql", ".gitkeep"];
        let read = read(&names, &names).unwrap();
        let parts = |file: &File| (file.version, file.description.clone(), file.name.clone());
        let expected = [
            (2, "dead letters".to_owned(), names[1].to_owned()),
            (1000, "trips".to_owned(), names[0].to_owned()),
        ];
        assert_eq!(read.sqlite.iter().map(parts).collect::<Vec<_>>(), expected);
        assert_eq!(read.sqlite, read.postgres);
    }

    #[test]
    fn a_name_without_a_version_and_a_description_is_refused() {
        for name in [
            "trips.sql",
            "1000-trips.sql",
            "1000_.sql",
            "_trips.sql",
            "v1_trips.sql",
            "-1_trips.sql",
            "1000_trips.up.sql",
            "1000_trips.sql.bak",
            "1000_trips.txt",
        ] {
            let refused = refusal(&["1_first.sql", name]);
            assert!(refused.starts_with(&format!("migrations/sqlite/{name}: ")), "{refused}");
        }
    }

    #[test]
    fn versions_are_positive_and_occur_once() {
        let zero = refusal(&["0_trips.sql"]);
        assert!(zero.contains("must be from 1"), "{zero}");
        let large = refusal(&["9223372036854775808_trips.sql"]);
        assert!(large.contains("must be from 1"), "{large}");
        let twice = refusal(&["1_first.sql", "0001_other.sql"]);
        assert!(twice.contains("have the same version"), "{twice}");
    }

    #[test]
    fn a_migration_for_one_database_only_is_refused() {
        let (one, two) = (["1_first.sql"], ["1_first.sql", "2_second.sql"]);
        let why = read(&one, &two).unwrap_err();
        assert!(why.starts_with("migrations/postgres/2_second.sql exists"), "{why}");
        let why = read(&two, &one).unwrap_err();
        assert!(why.starts_with("migrations/sqlite/2_second.sql exists"), "{why}");
        // A file with the same version and another name is another migration.
        read(&one, &["1_other.sql"]).unwrap_err();
    }

    #[test]
    fn a_folder_that_is_missing_or_empty_is_refused() {
        let missing = Folder::read(Path::new("/"), "nowhere").unwrap_err();
        assert!(missing.starts_with("cannot read the folder nowhere/sqlite"), "{missing}");
        let empty = refusal(&[]);
        assert!(empty.starts_with("migrations/sqlite has no migration"), "{empty}");
    }
}
