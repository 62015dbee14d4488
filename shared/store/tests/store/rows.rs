use quintet_store::{Class, Db, Record, Rows, StoreError};

use crate::tables::{Item, databases, item, items, reported_error};

async fn insert(db: &Db, ids: impl IntoIterator<Item = i64>) {
    let mut tx = db.begin().await.unwrap();
    let new = ids.into_iter().map(|id| item(id).values()).collect();
    tx.insert(&Item::TABLE, new).await.unwrap();
    tx.commit().await.unwrap();
}

fn renamed(id: i64) -> Item {
    Item { id, name: "renamed".into() }
}

#[tokio::test]
async fn a_row_is_absent_until_a_record_was_put_and_saved() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut tx, [1, 2]).await.unwrap();
        assert!(rows.get(&1).is_none() && rows.get_mut(&1).is_none());
        rows.put(item(1));
        rows.get_mut(&1).unwrap().name = "renamed".into();
        assert_eq!(rows.get(&1), Some(&renamed(1)));
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let rows = Rows::<Item>::load(&mut tx, [2, 1]).await.unwrap();
        assert_eq!(rows.iter().collect::<Vec<_>>(), [&renamed(1)]);
        drop(tx);
        assert_eq!(items(&db).await, [renamed(1)]);
    }
}

#[tokio::test]
async fn save_updates_existing_rows_inserts_absent_ones_and_leaves_unchanged_ones_alone() {
    for (_database, db) in databases().await {
        insert(&db, 0..100).await;
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut tx, 0..200).await.unwrap();
        for id in (0..200).filter(|id| id % 2 == 0) {
            rows.put(renamed(id));
        }
        // This change would be overwritten if `save` wrote unchanged rows.
        tx.execute("update item set name = 'other' where id = 1", vec![]).await.unwrap();
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();

        let found = items(&db).await;
        assert_eq!(found.len(), 150);
        for found in found {
            let expected = match found.id {
                1 => Item { id: 1, name: "other".into() },
                id if id % 2 == 0 => renamed(id),
                id => item(id),
            };
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test]
async fn a_removed_record_is_deleted() {
    for (_database, db) in databases().await {
        insert(&db, [1, 2]).await;
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut tx, [1, 2, 3, 4]).await.unwrap();
        rows.remove(&1);
        // A record that is put and removed again leaves the row absent.
        rows.put(item(3));
        rows.remove(&3);
        rows.remove(&4);
        assert_eq!(rows.get(&1), None);
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, [item(2)]);

        // A removed record may be put again in the same batch.
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut tx, [2]).await.unwrap();
        rows.remove(&2);
        rows.put(renamed(2));
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, [renamed(2)]);
    }
}

#[tokio::test]
#[should_panic(expected = "item 2 was not loaded")]
async fn a_record_whose_key_was_not_loaded_cannot_be_put() {
    Rows::absent([1]).put(item(2));
}

#[tokio::test]
async fn of_two_batches_that_found_a_row_absent_the_second_meets_a_conflict() {
    for (_database, db) in databases().await {
        let save = async |name: &str| -> Result<(), StoreError> {
            let mut rows = Rows::absent([1]);
            rows.put(Item { id: 1, name: name.into() });
            let mut tx = db.begin().await?;
            rows.save(&mut tx).await?;
            tx.commit().await
        };
        save("first").await.unwrap();
        assert_eq!(save("second").await.unwrap_err().class(), Class::Conflict);
        assert_eq!(items(&db).await, [Item { id: 1, name: "first".into() }]);
    }
}

#[tokio::test]
async fn on_postgres_the_second_batch_waits_for_the_first_and_then_meets_a_conflict() {
    for (_database, db) in databases().await {
        if db.kind() == quintet_store::DbKind::Sqlite {
            continue; // SQLite has one writer, so no two transactions overlap.
        }
        let (mut first, mut second) = (db.begin().await.unwrap(), db.begin().await.unwrap());
        let mut rows = Rows::<Item>::load(&mut first, [1]).await.unwrap();
        let mut others = Rows::<Item>::load(&mut second, [1]).await.unwrap();
        rows.put(item(1));
        others.put(renamed(1));
        rows.save(&mut first).await.unwrap();
        // `save` does not wait for the server. Without this answer the second insert could get there first.
        Rows::<Item>::load(&mut first, [2]).await.unwrap();
        let (committed, saved) = tokio::join!(first.commit(), others.save(&mut second));
        committed.unwrap();
        assert_eq!(reported_error(second, saved).await.class(), Class::Conflict);
    }
}

#[tokio::test]
async fn on_postgres_load_waits_for_the_transaction_that_holds_the_row() {
    for (_database, db) in databases().await {
        if db.kind() == quintet_store::DbKind::Sqlite {
            continue;
        }
        insert(&db, [1]).await;
        let mut first = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut first, [1]).await.unwrap();
        let other = async {
            let mut second = db.begin().await.unwrap();
            Rows::<Item>::load(&mut second, [1]).await.unwrap().get(&1).cloned()
        };
        let holder = async {
            rows.put(renamed(1));
            rows.save(&mut first).await.unwrap();
            first.commit().await.unwrap();
        };
        // The first transaction holds the lock, so the other sees its change, whichever is polled first.
        let (seen, ()) = tokio::join!(other, holder);
        assert_eq!(seen, Some(renamed(1)));
    }
}

#[tokio::test]
async fn a_dropped_transaction_changes_nothing() {
    for (_database, db) in databases().await {
        insert(&db, [1]).await;
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::<Item>::load(&mut tx, [1, 2]).await.unwrap();
        rows.put(renamed(1));
        rows.put(item(2));
        rows.save(&mut tx).await.unwrap();
        drop(tx);
        assert_eq!(items(&db).await, [item(1)]);
        // The connection still works.
        insert(&db, [3]).await;
        assert_eq!(items(&db).await, [item(1), item(3)]);
    }
}
