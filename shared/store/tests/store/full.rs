use store::{Class, Db, Record, StoreError};

use crate::tables::{Item, first, item};

/// The smallest limit there is.
const MAX_MIB: u32 = 1;
/// Rows of one insert.
const MANY: i64 = 2_000;

async fn insert(db: &Db, begin: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let rows = (begin..begin + MANY).map(|id| item(id).values()).collect();
    tx.insert(&Item::TABLE, rows).await?;
    tx.commit().await
}

#[tokio::test]
async fn a_full_sqlite_file_is_unavailable_keeps_what_it_has_and_goes_on_where_there_is_room() {
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
    // Again and again: the connection takes no harm.
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
async fn a_transaction_that_sqlite_has_rolled_back_by_itself_is_not_the_last_one() {
    let database = testkit::Database::in_a_file();
    let db = database.migrated(first()).await;
    let mut tx = db.begin().await.unwrap();
    // As it does when a COMMIT finds the disk full.
    tx.execute("rollback", vec![]).await.unwrap();
    tx.commit().await.unwrap_err();
    insert(&db, 1).await.unwrap();
}
