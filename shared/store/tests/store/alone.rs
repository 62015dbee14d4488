use std::sync::Arc;

use jiff::Timestamp;
use quintet_store::{Condition, Db, Kept, Kind, Record, Rows, StoreError, Tx, Value};

use crate::tables::{Item, databases, item, items, refusal};

fn values(ids: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
    ids.into_iter().map(|id| item(id).values()).collect()
}

fn keys(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter().map(Value::Int).collect()
}

fn there(id: i64) -> Condition {
    Condition::new("exists (select 1 from item where id = $1)", vec![Value::Int(id)])
}

async fn holding(db: &Db, ids: impl IntoIterator<Item = i64>) -> Tx {
    let mut tx = db.begin_beside_others(1).await.unwrap();
    tx.insert(&Item::TABLE, values(ids)).await.unwrap();
    tx.commit().await.unwrap();
    db.begin_beside_others(1).await.unwrap()
}

#[tokio::test]
async fn what_is_taken_to_be_there_goes_or_nothing_does() {
    for (_database, db) in databases().await {
        let mut tx = holding(&db, 0..100).await;
        tx.discard_all("item", "id", Kind::Int, keys([])).await.unwrap();
        tx.discard_all("item", "id", Kind::Int, keys(10..100)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, (0..10).map(item).collect::<Vec<_>>());

        let mut tx = db.begin().await.unwrap();
        let gone = tx.discard_all("item", "id", Kind::Int, keys(0..11)).await;
        let error = refusal(tx, gone).await;
        assert!(matches!(error, StoreError::Vanished { table: "item", expected: 11 }), "{error}");
        assert_eq!(items(&db).await.len(), 10);
    }
}

#[tokio::test]
async fn some_rows_come_and_others_go() {
    for (_database, db) in databases().await {
        let mut tx = holding(&db, 0..3).await;
        for (come, go) in [(3..5, 0..1), (5..6, 0..0), (0..0, 1..3), (0..0, 0..0)] {
            let gone = ("id", Kind::Int, keys(go));
            tx.exchange(&Item::TABLE, values(come), gone).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, (3..6).map(item).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_relied_on_is_asked_for_with_the_rows_or_by_itself() {
    for (_database, db) in databases().await {
        let mut tx = holding(&db, [1, 2]).await;
        tx.require(Condition::default()).await.unwrap();
        tx.require(there(1)).await.unwrap();
        let both = there(1).and(there(2));
        tx.insert_untaken(&Item::TABLE, values([3]), both.clone()).await.unwrap();
        tx.insert_untaken(&Item::TABLE, values([]), there(9)).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let relied = both.clone().and(there(9));
        let written = tx.insert_untaken(&Item::TABLE, values([4]), relied).await;
        let error = refusal(tx, written).await;
        assert!(matches!(error, StoreError::Taken { table: "item" }), "{error}");
        let mut tx = db.begin().await.unwrap();
        let written = tx.insert_untaken(&Item::TABLE, values([3, 4]), both).await;
        let error = refusal(tx, written).await;
        assert!(matches!(error, StoreError::Taken { table: "item" }), "{error}");
        let mut tx = db.begin().await.unwrap();
        let required = tx.require(there(9)).await;
        let error = refusal(tx, required).await;
        assert!(matches!(error, StoreError::Unmet), "{error}");
        assert_eq!(items(&db).await, (1..4).map(item).collect::<Vec<_>>());
    }
}

/// The names of these items, as a transaction that has the table to itself finds them.
async fn found(db: &Db, kept: &Arc<Kept>, ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    let mut tx = db.begin().await.unwrap();
    tx.nobody_else_writes(kept, Timestamp::UNIX_EPOCH);
    let rows = Rows::<Item>::load(&mut tx, ids).await.unwrap();
    rows.iter().map(|item| item.name.clone()).collect()
}

#[tokio::test]
async fn rows_that_were_committed_are_not_read_again_until_they_are_forgotten() {
    for (_database, db) in databases().await {
        let kept = Arc::default();
        let mut tx = holding(&db, [1, 2]).await;
        tx.nobody_else_writes(&kept, Timestamp::UNIX_EPOCH);
        let mut rows = Rows::<Item>::load(&mut tx, [1, 3]).await.unwrap();
        rows.get_mut(&1).unwrap().name = "changed".into();
        rows.put(item(3));
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, &kept, [1, 2, 3]).await, ["changed", "item 2", "item 3"]);

        let mut tx = db.begin().await.unwrap();
        tx.execute("update item set name = 'other'", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, &kept, [1, 2, 3]).await, ["changed", "other", "item 3"]);
        kept.forget();
        assert_eq!(found(&db, &kept, [1, 2, 3]).await, ["other"; 3]);
    }
}

#[tokio::test]
async fn a_transaction_that_did_not_commit_leaves_nothing_to_be_found() {
    for (_database, db) in databases().await {
        let kept = Arc::default();
        let mut tx = holding(&db, [1]).await;
        tx.nobody_else_writes(&kept, Timestamp::UNIX_EPOCH);
        let mut rows = Rows::<Item>::load(&mut tx, [1]).await.unwrap();
        rows.get_mut(&1).unwrap().name = "changed".into();
        rows.save(&mut tx).await.unwrap();
        drop(tx);
        assert_eq!(found(&db, &kept, [1]).await, ["item 1"]);
    }
}
