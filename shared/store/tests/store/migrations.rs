use crate::tables::{first, item, second};
use store::{Record, StoreError};

#[tokio::test]
async fn an_older_binary_starts_on_a_newer_schema() {
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
async fn what_ran_already_is_not_run_again_and_what_is_new_is() {
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
