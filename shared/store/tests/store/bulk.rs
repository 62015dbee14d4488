use quintet_store::{Class, Kind, Record, StoreError, Tx, Value};

use crate::tables::{Item, Label, databases, item, items, reported_error};

/// Zero, one, and sizes just below, at and above those of SQLite's statements.
const SIZES: [i64; 8] = [0, 1, 7, 8, 64, 65, 73, 200];

fn values(ids: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
    ids.into_iter().map(|id| item(id).values()).collect()
}

fn keys(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter().map(Value::Int).collect()
}

fn sorted(rows: &[quintet_store::Row]) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    ids.sort_unstable();
    ids
}

async fn clear(tx: &mut Tx) {
    tx.execute("delete from item", vec![]).await.unwrap();
}

#[tokio::test]
async fn insert_adds_every_row_once() {
    for (_database, db) in databases().await {
        for size in SIZES {
            let mut tx = db.begin().await.unwrap();
            clear(&mut tx).await;
            tx.insert(&Item::TABLE, values(0..size)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(items(&db).await, (0..size).map(item).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn insert_inserts_all_rows_or_none() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        tx.insert(&Item::TABLE, values([199])).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let written = tx.insert(&Item::TABLE, values(0..200)).await;
        let error = reported_error(tx, written).await;
        assert_eq!(error.class(), Class::Conflict, "{error}");
        assert_eq!(items(&db).await, [item(199)]);
    }
}

#[tokio::test]
async fn insert_new_returns_the_keys_that_did_not_exist() {
    for (_database, db) in databases().await {
        for size in SIZES {
            let mut tx = db.begin().await.unwrap();
            clear(&mut tx).await;
            let taken = (0..size).filter(|id| id % 3 == 0);
            let taken: Vec<Item> =
                taken.map(|id| Item { name: "old".into(), ..item(id) }).collect();
            tx.insert(&Item::TABLE, taken.iter().map(Record::values).collect()).await.unwrap();
            let new = tx.insert_new(&Item::TABLE, values(0..size)).await.unwrap();
            tx.commit().await.unwrap();

            let free: Vec<i64> = (0..size).filter(|id| id % 3 != 0).collect();
            assert_eq!(sorted(&new), free);
            let all = items(&db).await;
            assert_eq!(i64::try_from(all.len()).unwrap(), size);
            assert!(all.iter().all(|item| (item.name == "old") == (item.id % 3 == 0)));
        }
    }
}

#[tokio::test]
async fn insert_new_inserts_a_repeated_key_once() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        let new = tx.insert_new(&Item::TABLE, values([1, 2, 1])).await.unwrap();
        assert_eq!(sorted(&new), [1, 2]);
    }
}

#[tokio::test]
async fn update_changes_no_other_rows() {
    for (_database, db) in databases().await {
        for size in SIZES {
            let mut tx = db.begin().await.unwrap();
            clear(&mut tx).await;
            tx.insert(&Item::TABLE, values(0..=size)).await.unwrap();
            let renamed = |id| Item { id, name: format!("renamed {id}") };
            // Not in the order of the table.
            let changed = (0..size).rev().map(|id| renamed(id).values());
            tx.update(&Item::TABLE, changed.collect()).await.unwrap();
            tx.commit().await.unwrap();

            let expected = (0..size).map(renamed).chain([item(size)]);
            assert_eq!(items(&db).await, expected.collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn an_update_of_a_row_that_does_not_exist_fails() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        tx.insert(&Item::TABLE, values(0..99)).await.unwrap();
        let written = tx.update(&Item::TABLE, values(0..100)).await;
        let error = reported_error(tx, written).await;
        assert_eq!(error.class(), Class::Conflict);
        let StoreError::RowsMissing { table, expected } = error else { panic!("{error}") };
        assert_eq!((table, expected), ("item", 100));
        assert_eq!(items(&db).await, []);
    }
}

#[tokio::test]
async fn select_locked_reads_the_rows_that_exist_in_the_order_of_their_keys() {
    for (_database, db) in databases().await {
        for size in SIZES {
            let mut tx = db.begin().await.unwrap();
            clear(&mut tx).await;
            tx.insert(&Item::TABLE, values((0..size).filter(|id| id % 2 == 0))).await.unwrap();
            let found = tx.select_locked(&Item::TABLE, keys(0..size)).await.unwrap();
            let ids: Vec<i64> = found.iter().map(|row| row.get(0).unwrap()).collect();
            assert_eq!(ids, (0..size).filter(|id| id % 2 == 0).collect::<Vec<_>>());
            assert_eq!(
                found.iter().map(|row| Item::read(row).unwrap()).collect::<Vec<_>>(),
                ids.into_iter().map(item).collect::<Vec<_>>()
            );
        }
    }
}

#[tokio::test]
async fn delete_returns_the_keys_that_existed() {
    for (_database, db) in databases().await {
        for size in SIZES {
            let mut tx = db.begin().await.unwrap();
            clear(&mut tx).await;
            tx.insert(&Item::TABLE, values((0..=size).filter(|id| id % 2 == 0))).await.unwrap();
            let deleted = tx.delete("item", "id", Kind::Int, keys(0..size)).await.unwrap();
            tx.commit().await.unwrap();

            assert_eq!(sorted(&deleted), (0..size).filter(|id| id % 2 == 0).collect::<Vec<_>>());
            let left = (size % 2 == 0).then(|| item(size));
            assert_eq!(items(&db).await, left.into_iter().collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_key_may_be_a_text() {
    for (_database, db) in databases().await {
        let label = |name: &str, value| Label { name: name.into(), value };
        let mut tx = db.begin().await.unwrap();
        let all = [label("ä", 1), label("b", 2), label("", 3)];
        tx.insert(&Label::TABLE, all.iter().map(Record::values).collect()).await.unwrap();
        tx.update(&Label::TABLE, vec![label("ä", 4).values()]).await.unwrap();
        let deleted = tx.delete("label", "name", Kind::Text, vec!["b".into(), "c".into()]).await;
        assert_eq!(deleted.unwrap().len(), 1);
        tx.commit().await.unwrap();
        assert_eq!(db.find::<Label>("ä".into()).await.unwrap(), Some(label("ä", 4)));
        assert_eq!(db.find::<Label>(String::new()).await.unwrap(), Some(label("", 3)));
        assert_eq!(db.find::<Label>("b".into()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        tx.insert(&Item::TABLE, values(0..20)).await.unwrap();
        tx.commit().await.unwrap();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = db.page::<Item>(after, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page);
        }
        assert_eq!(seen, (0..20).map(item).collect::<Vec<_>>());
    }
}
