//! The tables of the tests, and the databases that have them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quintet_store::{Db, Json, Migrations, StoreError, Tx};
use testkit::Database;
use uuid::Uuid;

/// A column of each kind, and another one of each kind that may be null.
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
    pub game_id: GameId,
    pub code: Code,
    pub maybe_id: Option<Uuid>,
    pub maybe_number: Option<i64>,
    pub maybe_flag: Option<bool>,
    pub maybe_text: Option<String>,
    pub maybe_bytes: Option<Vec<u8>>,
    pub maybe_at: Option<Timestamp>,
    pub maybe_json: Option<Json<Vec<String>>>,
    pub maybe_word: Option<Word>,
}

quintet_store::record!(Sample in "sample":
    id: Uuid, number: i64, flag: bool, text: String, bytes: Vec<u8>, at: Timestamp,
    json: Json<BTreeMap<String, i64>>, word: Word, game_id: GameId, code: Code,
    maybe_id: Option<Uuid>, maybe_number: Option<i64>, maybe_flag: Option<bool>,
    maybe_text: Option<String>, maybe_bytes: Option<Vec<u8>>, maybe_at: Option<Timestamp>,
    maybe_json: Option<Json<Vec<String>>>, maybe_word: Option<Word>);

#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Word {
    First,
    SecondOne,
}

quintet_store::text_field!(Word);

event::ids! {
    /// A newtype over a UUID.
    GameId;
}

quintet_store::uuid_field!(GameId);

/// A code of two characters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Code([u8; 2]);

impl Code {
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap()
    }
}

impl std::str::FromStr for Code {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes().try_into();
        bytes.ok().filter(|_| text.is_ascii()).map(Self).ok_or("two characters")
    }
}

quintet_store::parsed_field!(Code);

/// A record whose key is a number. The column of its name has room for 16 characters.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: i64,
    pub name: String,
}

quintet_store::record!(Item in "item": id: i64, name: String);

/// A record whose key is a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub name: String,
    pub value: i64,
}

quintet_store::record!(Label in "label": name: String, value: i64);

pub fn item(id: i64) -> Item {
    Item { id, name: format!("item {id}") }
}

pub fn first() -> Migrations {
    quintet_store::migrations!("tests/store/migrations/first")
}

pub fn second() -> Migrations {
    quintet_store::migrations!("tests/store/migrations/second")
}

/// A database of each kind that is there, with the tables. The test keeps the first of each pair, whose drop
/// deletes the database.
pub async fn databases() -> Vec<(Database, Db)> {
    let mut migrated = Vec::new();
    for database in testkit::databases().await {
        let db = database.migrated(first()).await;
        migrated.push((database, db));
    }
    migrated
}

/// All items, in the order of their ids.
pub async fn items(db: &Db) -> Vec<Item> {
    db.page(None, i64::MAX).await.unwrap()
}

/// The error of a write, which a pipelined write reports by the commit.
pub async fn reported_error(tx: Tx, written: Result<(), StoreError>) -> StoreError {
    match written {
        Ok(()) => tx.commit().await.unwrap_err(),
        Err(error) => error,
    }
}
