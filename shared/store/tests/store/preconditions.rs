use std::sync::Arc;

use quintet_store::{Condition, Db, Kind, Record, RowCache, Rows, StoreError, Tx, Value};
use std::time::Duration;

use crate::tables::{Item, databases, item, items, reported_error};

fn values(ids: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
    ids.into_iter().map(|id| item(id).values()).collect()
}

fn keys(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter().map(Value::Int).collect()
}

fn exists(id: i64) -> Condition {
    Condition::new("exists (select 1 from item where id = $1)", vec![Value::Int(id)])
}

/// Inserts these items, and begins another transaction with a shared lock.
async fn begin_after_inserting(db: &Db, ids: impl IntoIterator<Item = i64>) -> Tx {
    let mut tx = db.begin_with_shared_lock(1).await.unwrap();
    tx.insert(&Item::TABLE, values(ids)).await.unwrap();
    tx.commit().await.unwrap();
    db.begin_with_shared_lock(1).await.unwrap()
}

#[tokio::test]
async fn discard_all_deletes_all_rows_or_fails() {
    for (_database, db) in databases().await {
        let mut tx = begin_after_inserting(&db, 0..100).await;
        tx.discard_all("item", "id", Kind::Int, keys([])).await.unwrap();
        tx.discard_all("item", "id", Kind::Int, keys(10..100)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, (0..10).map(item).collect::<Vec<_>>());

        let mut tx = db.begin().await.unwrap();
        let deleted = tx.discard_all("item", "id", Kind::Int, keys(0..11)).await;
        let error = reported_error(tx, deleted).await;
        assert!(
            matches!(error, StoreError::RowsMissing { table: "item", expected: 11 }),
            "{error}"
        );
        assert_eq!(items(&db).await.len(), 10);
    }
}

#[tokio::test]
async fn exchange_inserts_rows_and_deletes_others() {
    for (_database, db) in databases().await {
        let mut tx = begin_after_inserting(&db, 0..3).await;
        for (new, deleted) in [(3..5, 0..1), (5..6, 0..0), (0..0, 1..3), (0..0, 0..0)] {
            tx.exchange(&Item::TABLE, values(new), keys(deleted)).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, (3..6).map(item).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_condition_is_checked_with_an_insert_or_by_itself() {
    for (_database, db) in databases().await {
        let mut tx = begin_after_inserting(&db, [1, 2]).await;
        tx.require(Condition::default()).await.unwrap();
        tx.require(exists(1)).await.unwrap();
        let one_and_two = exists(1).and(exists(2));
        tx.insert_untaken(&Item::TABLE, values([3]), one_and_two.clone()).await.unwrap();
        tx.insert_untaken(&Item::TABLE, values([]), exists(9)).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let condition = one_and_two.clone().and(exists(9));
        let written = tx.insert_untaken(&Item::TABLE, values([4]), condition).await;
        let error = reported_error(tx, written).await;
        assert!(matches!(error, StoreError::OptimisticInsertFailed { table: "item" }), "{error}");
        let mut tx = db.begin().await.unwrap();
        let written = tx.insert_untaken(&Item::TABLE, values([3, 4]), one_and_two).await;
        let error = reported_error(tx, written).await;
        assert!(matches!(error, StoreError::OptimisticInsertFailed { table: "item" }), "{error}");
        let mut tx = db.begin().await.unwrap();
        let required = tx.require(exists(9)).await;
        let error = reported_error(tx, required).await;
        assert!(matches!(error, StoreError::PreconditionFailed), "{error}");
        assert_eq!(items(&db).await, (1..4).map(item).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn discard_if_deletes_only_while_its_condition_holds() {
    for (_database, db) in databases().await {
        drop(begin_after_inserting(&db, 1..5).await);
        let deleted = db.discard_if(&Item::TABLE, keys([1, 9]), exists(2)).await.unwrap();
        assert_eq!(deleted, 1);
        assert_eq!(db.discard_if(&Item::TABLE, keys([2]), exists(9)).await.unwrap(), 0);
        let always = Condition::default();
        assert_eq!(db.discard_if(&Item::TABLE, keys([2]), always).await.unwrap(), 1);
        assert_eq!(items(&db).await, [item(3), item(4)]);
    }
}

/// The names of these items, as a sole writer finds them.
async fn found(db: &Db, cache: &Arc<RowCache>, ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    let mut tx = db.begin().await.unwrap();
    tx.assume_sole_writer(cache, Duration::ZERO);
    let rows = Rows::<Item>::load(&mut tx, ids).await.unwrap();
    rows.iter().map(|item| item.name.clone()).collect()
}

#[tokio::test]
async fn committed_rows_are_not_read_again_until_the_cache_is_cleared() {
    for (_database, db) in databases().await {
        let cache = Arc::default();
        let mut tx = begin_after_inserting(&db, [1, 2]).await;
        tx.assume_sole_writer(&cache, Duration::ZERO);
        let mut rows = Rows::<Item>::load(&mut tx, [1, 3]).await.unwrap();
        rows.get_mut(&1).unwrap().name = "changed".into();
        rows.put(item(3));
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, &cache, [1, 2, 3]).await, ["changed", "item 2", "item 3"]);

        let mut tx = db.begin().await.unwrap();
        tx.execute("update item set name = 'other'", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, &cache, [1, 2, 3]).await, ["changed", "other", "item 3"]);
        cache.clear();
        assert_eq!(found(&db, &cache, [1, 2, 3]).await, ["other"; 3]);
    }
}

#[tokio::test]
async fn a_transaction_that_did_not_commit_leaves_nothing_in_the_cache() {
    for (_database, db) in databases().await {
        let cache = Arc::default();
        let mut tx = begin_after_inserting(&db, [1]).await;
        tx.assume_sole_writer(&cache, Duration::ZERO);
        let mut rows = Rows::<Item>::load(&mut tx, [1]).await.unwrap();
        rows.get_mut(&1).unwrap().name = "changed".into();
        rows.save(&mut tx).await.unwrap();
        drop(tx);
        assert_eq!(found(&db, &cache, [1]).await, ["item 1"]);
    }
}
