use std::time::Duration;

use quintet_store::{Class, Db, DbKind, Record, Rows, StoreError, Value};
use tokio::sync::Barrier;

use crate::tables::{Item, databases, item, reported_error};

async fn insert(db: &Db, item: Item) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.insert(&Item::TABLE, vec![item.values()]).await?;
    tx.commit().await
}

#[tokio::test]
async fn an_existing_key_is_a_conflict_and_a_refused_value_is_of_class_data() {
    for (_database, db) in databases().await {
        insert(&db, item(1)).await.unwrap();
        let taken = insert(&db, item(1)).await.unwrap_err();
        assert_eq!(taken.class(), Class::Conflict, "{taken}");

        let too_long = Item { id: 2, name: "x".repeat(17) };
        let too_long = insert(&db, too_long).await.unwrap_err();
        assert_eq!(too_long.class(), Class::Data, "{too_long}");

        let mut tx = db.begin().await.unwrap();
        let null = vec![Value::Int(3), Value::Null(quintet_store::Kind::Text)];
        let written = tx.insert(&Item::TABLE, vec![null]).await;
        let null = reported_error(tx, written).await;
        assert_eq!(null.class(), Class::Data, "{null}");
    }
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    for (_database, db) in databases().await {
        db.close().await;
        let error = db.begin().await.unwrap_err();
        assert_eq!(error.class(), Class::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn an_error_about_an_address_names_it_without_its_password() {
    for url in ["", "sqlite:", "mysql://me:secret@host/db", "postgres://me:secret@host:x/db"] {
        let error = Db::connect(url, 1).await.unwrap_err();
        assert!(matches!(error, StoreError::Url { .. }), "{error}");
        assert!(error.to_string().contains("database.url"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn on_sqlite_begin_waits_for_another_process_and_then_fails_with_a_conflict() {
    let database = testkit::Database::in_a_file();
    let db = database.migrated(crate::tables::first()).await;
    let elsewhere = database.connect().await;
    let tx = elsewhere.begin().await.unwrap();
    let error = db.begin().await.unwrap_err();
    assert_eq!(error.class(), Class::Conflict, "{error}");
    drop(tx);
    insert(&db, item(1)).await.unwrap();
}

#[tokio::test]
async fn on_postgres_a_deadlock_is_a_conflict() {
    for (_database, db) in databases().await {
        if db.kind() == DbKind::Sqlite {
            continue; // SQLite has one writer, so there are no deadlocks.
        }
        insert(&db, item(1)).await.unwrap();
        insert(&db, item(2)).await.unwrap();
        let each_holds_one = Barrier::new(2);
        let lock = async |first: i64, second: i64| {
            let mut tx = db.begin().await?;
            Rows::<Item>::load(&mut tx, [first]).await?;
            each_holds_one.wait().await;
            Rows::<Item>::load(&mut tx, [second]).await?;
            tx.commit().await
        };
        let (one, other) = tokio::join!(lock(1, 2), lock(2, 1));
        let error = one.and(other).unwrap_err();
        assert_eq!(error.class(), Class::Conflict, "{error}");
    }
}

#[tokio::test]
async fn on_postgres_a_lock_that_is_not_free_in_time_is_a_conflict() {
    for (_database, db) in databases().await {
        if db.kind() == DbKind::Sqlite {
            continue;
        }
        insert(&db, item(1)).await.unwrap();
        let (mut holder, mut other) = (db.begin().await.unwrap(), db.begin().await.unwrap());
        Rows::<Item>::load(&mut holder, [1]).await.unwrap();
        other.execute("set local lock_timeout = '20ms'", vec![]).await.unwrap();
        let error = Rows::<Item>::load(&mut other, [1]).await.unwrap_err();
        assert_eq!(error.class(), Class::Conflict, "{error}");
    }
}

#[tokio::test]
async fn on_postgres_a_lost_connection_is_unavailable_and_the_next_one_works() {
    for (_database, db) in databases().await {
        if db.kind() == DbKind::Sqlite {
            continue;
        }
        let mut tx = db.begin().await.unwrap();
        let pid = tx.fetch("select pg_backend_pid()::bigint", vec![]).await.unwrap();
        let pid: i64 = pid[0].get(0).unwrap();
        // The statement waits until that process has ended.
        let sql = "select pg_terminate_backend($1::int, $2)";
        let timeout = i64::try_from(Duration::from_secs(5).as_millis()).unwrap();
        db.fetch(sql, vec![Value::Int(pid), Value::Int(timeout)]).await.unwrap();
        let error = tx.fetch("select 1", vec![]).await.unwrap_err();
        assert_eq!(error.class(), Class::Unavailable, "{error}");
        drop(tx);
        insert(&db, item(1)).await.unwrap();
    }
}

#[tokio::test]
async fn on_postgres_a_text_with_a_zero_byte_is_of_class_data() {
    for (_database, db) in databases().await {
        if db.kind() == DbKind::Sqlite {
            continue;
        }
        let error = insert(&db, Item { id: 1, name: "a\0b".into() }).await.unwrap_err();
        assert_eq!(error.class(), Class::Data, "{error}");
    }
}

#[tokio::test]
async fn readers_of_a_sqlite_file_cannot_write() {
    let database = testkit::Database::in_a_file();
    let db = database.migrated(crate::tables::first()).await;
    db.fetch("insert into label values ('a', 1)", vec![]).await.unwrap_err();
    assert_eq!(db.fetch("select * from label", vec![]).await.unwrap().len(), 0);
}
