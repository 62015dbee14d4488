use std::path::Path;

use crate::tables::{first, item, second};
use quintet_store::{DbKind, Record, StoreError};
use sqlx::migrate::Migrator;

#[tokio::test]
async fn an_older_program_starts_on_a_newer_schema() {
    for database in testkit::databases().await {
        let newer = database.migrated(first().and(second())).await;
        newer.fetch("select added from item", vec![]).await.unwrap();

        let older = database.migrated(first()).await;
        let mut tx = older.begin().await.unwrap();
        tx.insert(&crate::tables::Item::TABLE, vec![item(1).values()]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn only_new_migrations_run() {
    for database in testkit::databases().await {
        let db = database.migrated(first()).await;
        db.fetch("select added from item", vec![]).await.unwrap_err();
        db.migrate(first().and(second())).await.unwrap();
        db.migrate(first().and(second())).await.unwrap();
        db.fetch("select added from item", vec![]).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused() {
    for database in testkit::databases().await {
        let db = database.migrated(first()).await;
        let sql = "update _sqlx_migrations set checksum = $1";
        let mut tx = db.begin().await.unwrap();
        tx.execute(sql, vec![vec![0_u8; 48].into()]).await.unwrap();
        tx.commit().await.unwrap();
        let error = db.migrate(first()).await.unwrap_err();
        assert!(matches!(error, StoreError::Migrate(_)), "{error}");
    }
}

/// The version, description and checksum that sqlx itself would record for the files of a folder.
async fn by_sqlx(folder: &str, kind: DbKind) -> Vec<(i64, String, Vec<u8>)> {
    let kind = match kind {
        DbKind::Sqlite => "sqlite",
        DbKind::Postgres => "postgres",
    };
    let path = format!("tests/store/migrations/{folder}/{kind}");
    let migrator = Migrator::new(Path::new(&path)).await.unwrap();
    migrator
        .iter()
        .map(|one| (one.version, one.description.to_string(), one.checksum.to_vec()))
        .collect()
}

#[tokio::test]
async fn a_database_records_what_sqlx_records_so_that_older_databases_open() {
    for database in testkit::databases().await {
        let db = database.migrated(first().and(second())).await;
        let sql = "select version, description, checksum from _sqlx_migrations order by version";
        let recorded = db.fetch(sql, vec![]).await.unwrap();
        let recorded = recorded.iter().map(|row| {
            (row.get(0).unwrap(), row.get::<String>(1).unwrap(), row.get::<Vec<u8>>(2).unwrap())
        });
        let mut expected = by_sqlx("first", db.kind()).await;
        expected.extend(by_sqlx("second", db.kind()).await);
        assert_eq!(recorded.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn versions_that_do_not_ascend_are_refused_before_a_migration_runs() {
    let database = testkit::databases().await.swap_remove(0);
    let db = database.connect().await;
    for schema in [second().and(first()), first().and(first())] {
        let error = db.migrate(schema).await.unwrap_err();
        assert!(error.to_string().contains("give it a version above"), "{error}");
    }
    db.fetch("select added from item", vec![]).await.unwrap_err();
}
