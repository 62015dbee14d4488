//! Checks that the library's public signatures name no type of a client for databases or brokers. A new version of such a
//! client then needs no new major version of the library.

mod leaks;

use std::{
    fs,
    path::{Path, PathBuf},
};

use leaks::{Sources, leaks};

const CRATES: [&str; 6] = ["store", "bus", "engine", "service", "edge", "live"];

/// The sources below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_public_signature_names_a_client_library() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in CRATES {
        let mut paths = Vec::new();
        files(&shared.join(name).join("src"), &mut paths);
        let sources: Sources = paths
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                (path.display().to_string(), syn::parse_file(&text).unwrap())
            })
            .collect();
        assert!(!sources.is_empty(), "no sources of {name}");
        let found = leaks(&sources);
        assert!(found.is_empty(), "in the public interface:\n{}", found.join("\n"));
    }
}

/// The number of leaks in a crate with this file alone.
fn count(text: &str) -> usize {
    leaks(&vec![("lib.rs".to_owned(), syn::parse_str(text).unwrap())]).len()
}

#[test]
fn each_way_to_leak_a_type_is_found() {
    for leaking in [
        "pub use sqlx;",
        "pub use sqlx::{Row, Error as DbError};",
        "pub fn pool() -> sqlx::SqlitePool {}",
        "use sqlx::SqlitePool; pub fn pool() -> Option<SqlitePool> {}",
        "use sqlx::SqlitePool as Pool; pub struct Db { pub pool: Pool }",
        "use rdkafka::{error::{KafkaError}}; pub enum BusError { Kafka { source: KafkaError } }",
        "pub type Pool = deadpool_postgres::Pool;",
        "pub trait Open { fn open(&self) -> tokio_postgres::Client; }",
        "pub struct Db; impl Db { pub fn run<E: sqlx::Executor>(&self, on: E) {} }",
        "pub struct Db; impl From<sqlx::Error> for Db { fn from(_: sqlx::Error) -> Self {} }",
        "pub struct Db; impl tokio_postgres::types::ToSql for Db {}",
        "pub struct Db; impl IntoFuture for Db { type Output = sqlx::Error; }",
        "#[derive(Debug, sqlx::FromRow)] pub struct Row;",
        "#[macro_export] macro_rules! migrate { () => { sqlx::migrate!() } }",
        "pub mod inner { pub fn pool() -> sqlx::SqlitePool {} }",
    ] {
        assert!(count(leaking) > 0, "{leaking}");
    }
}

#[test]
fn a_private_item_may_name_any_type() {
    for fine in [
        "use sqlx::SqlitePool; pub struct Db { pool: SqlitePool }",
        "pub struct Db(pub(crate) sqlx::SqlitePool);",
        "pub(crate) fn pool() -> sqlx::SqlitePool {}",
        "pub(crate) use sqlx::Row;",
        "pub fn open() { let pool = sqlx::SqlitePool::new(); }",
        "struct Inner; impl From<sqlx::Error> for Inner { fn from(_: sqlx::Error) -> Self {} }",
        "pub struct Db; impl Db { fn pool(&self) -> sqlx::SqlitePool {} }",
        "macro_rules! migrate { () => { sqlx::migrate!() } }",
        "#[cfg(test)] mod tests { pub fn pool() -> sqlx::SqlitePool {} }",
    ] {
        assert_eq!(count(fine), 0, "{fine}");
    }
}
