use std::collections::BTreeMap;

use jiff::Timestamp;
use quintet_store::{Class, Json, Record, Rows, StoreError, Value};
use uuid::Uuid;

use crate::tables::{Sample, Word, databases};

fn plain() -> Sample {
    Sample {
        id: Uuid::from_u128(1),
        number: 0,
        flag: false,
        text: String::new(),
        bytes: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
        json: Json(BTreeMap::new()),
        word: Word::First,
        game_id: Uuid::nil().into(),
        code: "A1".parse().unwrap(),
        maybe_id: None,
        maybe_number: None,
        maybe_flag: None,
        maybe_text: None,
        maybe_bytes: None,
        maybe_at: None,
        maybe_json: None,
        maybe_word: None,
    }
}

fn full() -> Sample {
    let text = "it's \"quoted\", {braced}, \\ and NULL, ünïcödé 🎻\n\t$1 ?";
    let latest = "9999-12-30T22:00:00.999999Z".parse().unwrap();
    Sample {
        id: Uuid::from_u128(2),
        number: i64::MAX,
        flag: true,
        text: text.into(),
        bytes: (0..=255).collect(),
        at: latest,
        json: Json(BTreeMap::from([(text.into(), i64::MIN)])),
        word: Word::SecondOne,
        game_id: Uuid::max().into(),
        code: "zZ".parse().unwrap(),
        maybe_id: Some(Uuid::nil()),
        maybe_number: Some(i64::MIN),
        maybe_flag: Some(false),
        maybe_text: Some(text.repeat(1_000)),
        maybe_bytes: Some(vec![0; 100_000]),
        maybe_at: Some(Timestamp::from_microsecond(-1).unwrap()),
        maybe_json: Some(Json(vec![text.into(), String::new()])),
        maybe_word: Some(Word::First),
    }
}

/// Values that could be mistaken for null: zeros, empty texts and lists.
fn empty() -> Sample {
    Sample {
        id: Uuid::from_u128(3),
        number: i64::MIN,
        at: Timestamp::MIN,
        maybe_number: Some(0),
        maybe_text: Some(String::new()),
        maybe_bytes: Some(Vec::new()),
        maybe_json: Some(Json(Vec::new())),
        ..plain()
    }
}

#[tokio::test]
async fn every_kind_of_column_returns_the_value_that_was_written() {
    let samples = [plain(), full(), empty()];
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        let mut rows = Rows::absent(samples.iter().map(|sample| sample.id));
        for sample in &samples {
            rows.put(sample.clone());
        }
        rows.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();

        for sample in &samples {
            assert_eq!(db.find(sample.id).await.unwrap().as_ref(), Some(sample));
        }
    }
}

#[tokio::test]
async fn an_update_changes_every_column_to_and_from_null() {
    for (_database, db) in databases().await {
        let (with_nulls, without) = (plain(), Sample { id: plain().id, ..full() });
        for (before, after) in [(&with_nulls, &without), (&without, &with_nulls)] {
            let mut tx = db.begin().await.unwrap();
            tx.delete("sample", "id", quintet_store::Kind::Uuid, vec![before.id.into()])
                .await
                .unwrap();
            tx.insert(&Sample::TABLE, vec![before.values()]).await.unwrap();
            tx.update(&Sample::TABLE, vec![after.values()]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(db.find(before.id).await.unwrap().as_ref(), Some(after));
        }
    }
}

#[tokio::test]
async fn an_error_names_the_column_and_the_value_that_it_should_not_hold() {
    for (_database, db) in databases().await {
        let mut tx = db.begin().await.unwrap();
        tx.insert(&Sample::TABLE, vec![plain().values()]).await.unwrap();
        tx.execute("update sample set word = 'third', json = '{'", vec![]).await.unwrap();
        tx.commit().await.unwrap();

        let read = |sql: &'static str| {
            let db = &db;
            async move { db.fetch(sql, vec![]).await.unwrap().remove(0) }
        };
        let wrong = |error: StoreError, text: &str| {
            assert_eq!(error.class(), Class::Data);
            assert!(error.to_string().contains(text), "{error}");
        };
        let word = read("select id, word from sample").await.get::<Word>(1);
        wrong(word.unwrap_err(), "column 1 holds \"third\", which is not Word");
        let json = read("select json from sample").await.get::<Json<Vec<i64>>>(0);
        wrong(json.unwrap_err(), "column 0 holds \"{\", which is not");
        let null = read("select maybe_number from sample").await.get::<i64>(0);
        wrong(null.unwrap_err(), "column 0 holds \"null\", which is not i64");
        let time = read("select number + 9223372036854775807 from sample").await;
        wrong(time.get::<Timestamp>(0).unwrap_err(), "which is not a time in microseconds");
    }
}

#[tokio::test]
async fn values_are_bound_never_spliced() {
    for (_database, db) in databases().await {
        let text = "'; drop table item; --";
        let rows = db.fetch("select cast($1 as text)", vec![Value::from(text)]).await.unwrap();
        assert_eq!(rows[0].get::<String>(0).unwrap(), text);
        db.fetch("select 1 from item", vec![]).await.unwrap();
    }
}
