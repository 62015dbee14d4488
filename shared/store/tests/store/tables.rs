//! The tables that the tests use.

use std::collections::BTreeMap;

use contracts::{Currency, OrderId, Sku};
use jiff::Timestamp;
use store::{Db, Json, Migrations, StoreError, Tx};
use testkit::Database;
use uuid::Uuid;

/// One column of each kind, and each once more where it may be null.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub id: Uuid,
    pub number: i64,
    pub flag: bool,
    pub text: String,
    pub bytes: Vec<u8>,
    pub at: Timestamp,
    pub json: Json<BTreeMap<String, i64>>,
    pub word: Word,
    pub order_id: OrderId,
    pub sku: Sku,
    pub currency: Currency,
    pub maybe_id: Option<Uuid>,
    pub maybe_number: Option<i64>,
    pub maybe_flag: Option<bool>,
    pub maybe_text: Option<String>,
    pub maybe_bytes: Option<Vec<u8>>,
    pub maybe_at: Option<Timestamp>,
    pub maybe_json: Option<Json<Vec<String>>>,
    pub maybe_word: Option<Word>,
}

store::record!(Sample in "sample":
    id: Uuid, number: i64, flag: bool, text: String, bytes: Vec<u8>, at: Timestamp,
    json: Json<BTreeMap<String, i64>>, word: Word, order_id: OrderId, sku: Sku, currency: Currency,
    maybe_id: Option<Uuid>, maybe_number: Option<i64>, maybe_flag: Option<bool>,
    maybe_text: Option<String>, maybe_bytes: Option<Vec<u8>>, maybe_at: Option<Timestamp>,
    maybe_json: Option<Json<Vec<String>>>, maybe_word: Option<Word>);

#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Word {
    First,
    SecondOne,
}

store::text_field!(Word);

/// Found by a number; its name has room for 16 characters.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: i64,
    pub name: String,
}

store::record!(Item in "item": id: i64, name: String);

/// Found by a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub name: String,
    pub value: i64,
}

store::record!(Label in "label": name: String, value: i64);

pub fn item(id: i64) -> Item {
    Item { id, name: format!("item {id}") }
}

pub fn first() -> Migrations {
    Migrations::new(
        sqlx::migrate!("tests/store/migrations/first/sqlite"),
        sqlx::migrate!("tests/store/migrations/first/postgres"),
    )
}

pub fn second() -> Migrations {
    Migrations::new(
        sqlx::migrate!("tests/store/migrations/second/sqlite"),
        sqlx::migrate!("tests/store/migrations/second/postgres"),
    )
}

/// Every database, with the tables in it. The first of a pair lives as long as the test needs it.
pub async fn databases() -> Vec<(Database, Db)> {
    let mut migrated = Vec::new();
    for database in testkit::databases().await {
        let db = database.migrated(first()).await;
        migrated.push((database, db));
    }
    migrated
}

/// All items, by their ids.
pub async fn items(db: &Db) -> Vec<Item> {
    db.page(None, i64::MAX).await.unwrap()
}

/// Why the database refuses what was written: told by the write, at the latest by the commit.
pub async fn refusal(tx: Tx, written: Result<(), StoreError>) -> StoreError {
    match written {
        Ok(()) => tx.commit().await.unwrap_err(),
        Err(error) => error,
    }
}
