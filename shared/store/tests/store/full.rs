use quintet_store::{Class, Db, Record, StoreError};
use sqlx::{Connection, SqliteConnection};

use crate::tables::{Item, first, item};

/// The smallest limit there is.
const MAX_MIB: u32 = 1;
/// How many rows one insert has.
const MANY: i64 = 2_000;

async fn insert(db: &Db, begin: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let rows = (begin..begin + MANY).map(|id| item(id).values()).collect();
    tx.insert(&Item::TABLE, rows).await?;
    tx.commit().await
}

#[tokio::test]
async fn a_full_sqlite_file_refuses_writes_keeps_its_rows_and_accepts_writes_after_a_delete() {
    let database = testkit::Database::in_a_file();
    drop(database.migrated(first()).await);
    let db = Db::connect_within(&database.url(), 1, MAX_MIB).await.unwrap();
    let mut next = 1;
    let full = loop {
        match insert(&db, next).await {
            Ok(()) => next += MANY,
            Err(error) => break error,
        }
        assert!(next < 100 * MANY, "it grows beyond its limit");
    };
    assert_eq!(full.class(), Class::Unavailable, "{full}");
    assert!(full.to_string().contains("full"), "{full}");
    // The failures do not harm the connection.
    for _ in 0..3 {
        let again = insert(&db, next).await.unwrap_err();
        assert_eq!(again.class(), Class::Unavailable, "{again}");
    }
    let count = db.fetch("select count(*) from item", vec![]).await.unwrap()[0].get::<i64>(0);
    assert_eq!(count.unwrap(), next - 1);

    let mut tx = db.begin().await.unwrap();
    tx.execute("delete from item where id <= $1", vec![(2 * MANY).into()]).await.unwrap();
    tx.commit().await.unwrap();
    insert(&db, next).await.unwrap();
}

#[tokio::test]
async fn a_reader_in_another_process_lets_the_write_ahead_log_grow_to_its_limit_only() {
    const LIMIT_MIB: u64 = 12;
    let database = testkit::Database::in_a_file();
    drop(database.migrated(first()).await);
    let limit = u32::try_from(LIMIT_MIB).unwrap();
    let db = Db::connect_within(&database.url(), 1, limit).await.unwrap();
    insert(&db, 1).await.unwrap();
    // A backup or a shell does the same: as long as its transaction lasts it needs the file as it is now.
    let mut reader = SqliteConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from item").execute(&mut reader).await.unwrap();
    let log = format!("{}-wal", database.url().trim_start_matches("sqlite:"));
    let log_mib = || std::fs::metadata(&log).unwrap().len() >> 20;
    let mut round = 0_i64;
    let pinned = loop {
        // Writes the same rows again, so that the file itself does not grow.
        round += 1;
        if let Err(error) = rewrite(&db, round).await {
            break error;
        }
        assert!(log_mib() <= LIMIT_MIB && round < 10_000, "it grows beyond its limit");
    };
    assert!(matches!(pinned, StoreError::LogNotEmptied { .. }), "{pinned}");
    assert_eq!(pinned.class(), Class::Unavailable);
    db.require_writable().await.unwrap_err();
    reader.close().await.unwrap();
    rewrite(&db, 0).await.unwrap();
    db.require_writable().await.unwrap();
    assert!(log_mib() < LIMIT_MIB);
}

async fn rewrite(db: &Db, round: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute("update item set name = 'round ' || $1", vec![round.into()]).await?;
    tx.commit().await
}

#[tokio::test]
async fn after_a_rollback_by_sqlite_itself_the_next_transaction_works() {
    let database = testkit::Database::in_a_file();
    let db = database.migrated(first()).await;
    let mut tx = db.begin().await.unwrap();
    // SQLite rolls back like this when a COMMIT finds the disk full.
    tx.execute("rollback", vec![]).await.unwrap();
    tx.commit().await.unwrap_err();
    insert(&db, 1).await.unwrap();
}
