//! Servers that answer but cannot be used: read-only ones, and poolers.

use quintet_store::{Class, Db, Record, StoreError};
use testkit::{Database, PgBouncer};

use crate::tables::{Item, first, item};

async fn insert(db: &Db, id: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.insert(&Item::TABLE, vec![item(id).values()]).await?;
    tx.commit().await
}

/// Makes all sessions that begin from now on read-only, or no longer.
async fn set_read_only(url: &str, on: bool) {
    let (_, name) = url.rsplit_once('/').unwrap();
    let operator = Db::connect(url, 1).await.unwrap();
    let setting = format!("alter database {name} set default_transaction_read_only = {on}");
    let begun = operator.begin().await;
    let mut tx = begun.unwrap();
    tx.execute("set transaction read write", vec![]).await.unwrap();
    tx.execute(&setting, vec![]).await.unwrap();
    tx.commit().await.unwrap();
    operator.close().await;
}

#[tokio::test]
async fn a_read_only_server_is_unavailable_until_it_accepts_writes() {
    let Some(database) = Database::on_postgres().await else { return };
    let db = database.migrated(first()).await;
    insert(&db, 1).await.unwrap();
    db.require_writable().await.unwrap();

    set_read_only(&database.url(), true).await;
    let db = database.connect().await;
    let unwritable = db.require_writable().await.unwrap_err();
    assert!(matches!(unwritable, StoreError::ReadOnly) && unwritable.is_away(), "{unwritable}");
    let refused = insert(&db, 2).await.unwrap_err();
    assert_eq!(refused.class(), Class::Unavailable, "{refused}");
    let rows = db.fetch("select 1 from item", vec![]).await.unwrap();
    assert_eq!(rows.len(), 1, "reads still work");

    // A session that began read-only would stay so.
    set_read_only(&database.url(), false).await;
    let written = async || insert(&db, 2).await.ok();
    testkit::eventually("the write to be accepted", written).await;
    db.require_writable().await.unwrap();
}

#[tokio::test]
async fn a_pooler_that_changes_the_session_is_refused_and_the_error_names_the_setting() {
    let modes = ["transaction", "statement"];
    let poolers = modes.map(PgBouncer::start).into_iter();
    for pooler in poolers.chain(modes.map(PgBouncer::start_with_one_session)) {
        let Some(pooler) = pooler else { return };
        let Some(database) = Database::on_postgres().await else { return };
        let db = Db::connect(&pooler.in_front_of(&database.url()), 4).await.unwrap();
        let refused = db.require_sessions().await.unwrap_err();
        assert!(matches!(refused, StoreError::Pooled), "{refused}");
        assert!(!refused.is_away() && refused.to_string().contains("pool_mode = session"));
    }
}

#[tokio::test]
async fn a_pooler_that_keeps_the_session_works_with_its_defaults() {
    let Some(pooler) = PgBouncer::start("session") else { return };
    let Some(database) = Database::on_postgres().await else { return };
    let db = Db::connect(&pooler.in_front_of(&database.url()), 4).await.unwrap();
    db.require_sessions().await.unwrap();
    db.migrate(first()).await.unwrap();
    let [one, two] = [insert(&db, 1), insert(&db, 2)];
    let (one, two) = tokio::join!(one, two);
    one.and(two).unwrap();
    let set = db.fetch("show plan_cache_mode", vec![]).await.unwrap();
    assert_eq!(set[0].get::<String>(0).unwrap(), "force_generic_plan");
    db.close().await;
}

#[tokio::test]
async fn a_pooler_without_a_free_session_is_unavailable_and_the_error_names_its_pool_size() {
    let Some(pooler) = PgBouncer::start_with_one_session("session") else { return };
    let Some(database) = Database::on_postgres().await else { return };
    let url = pooler.in_front_of(&database.url());
    let db = Db::connect(&url, 4).await.unwrap();
    let at_the_start = db.require_sessions().await.unwrap_err();
    let _only = db.begin().await.unwrap();
    let later = db.begin().await.map(drop).unwrap_err();
    for refused in [at_the_start, later] {
        assert!(matches!(refused, StoreError::NoAnswer) && refused.is_away(), "{refused}");
        assert!(refused.to_string().contains("default_pool_size"), "{refused}");
    }
}

#[tokio::test]
async fn a_connection_to_postgres_itself_keeps_the_session() {
    let Some(database) = Database::on_postgres().await else { return };
    database.connect().await.require_sessions().await.unwrap();
}
