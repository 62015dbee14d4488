//! What operators and the auditor ask, on a listener of its own.

use std::marker::PhantomData;

use async_trait::async_trait;
use axum::{Json, Router, extract::State, routing::get};
use engine::{Participant, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Db, Field, Record, StoreError};

use crate::{
    App, Service,
    http::{Problem, Query},
};

/// Rows of one answer unless asked otherwise, and at most.
const ROWS: i64 = 500;
const MOST_ROWS: i64 = 5_000;

/// A table whose rows the auditor reads.
#[async_trait]
pub trait Listed: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Rows after the key `after`, at most `limit`, with their keys.
    async fn page(
        &self,
        db: &Db,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(String, Value)>, StoreError>;
}

/// Lists a record's table.
pub struct TableOf<R>(PhantomData<R>);

impl<R> TableOf<R> {
    /// The listing of `R`'s table.
    #[must_use]
    pub fn listed() -> Box<dyn Listed>
    where
        R: Record + Serialize,
        R::Key: std::str::FromStr + std::fmt::Display + Field,
    {
        Box::new(Self(PhantomData))
    }
}

#[async_trait]
impl<R> Listed for TableOf<R>
where
    R: Record + Serialize,
    R::Key: std::str::FromStr + std::fmt::Display + Field,
{
    fn name(&self) -> &'static str {
        R::TABLE.name
    }

    async fn page(
        &self,
        db: &Db,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(String, Value)>, StoreError> {
        // A key that does not parse lies nowhere: begin at the beginning.
        let after = after.and_then(|key| key.parse().ok());
        let records: Vec<R> = db.page(after, limit).await?;
        let rows = records.into_iter().map(|record| {
            let mut row = serde_json::to_value(&record).unwrap_or(Value::Null);
            row["table"] = R::TABLE.name.into();
            (record.key().to_string(), row)
        });
        Ok(rows.collect())
    }
}

pub(crate) fn routes<S: Service>() -> Router<App<S>> {
    Router::new()
        .route("/admin/status", get(status::<S>))
        .route("/admin/rows", get(rows::<S>))
        .merge(S::admin_routes())
}

async fn status<P: Participant>(State(app): State<App<P>>) -> Result<Json<Status>, Problem> {
    Ok(Json(app.engine.status(&*app.bus).await?))
}

#[derive(Debug, Deserialize)]
struct RowsQuery {
    after: Option<String>,
    limit: Option<i64>,
}

/// All tables' rows, one table after the other; `next` continues.
async fn rows<S: Service>(
    State(app): State<App<S>>,
    Query(query): Query<RowsQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = query.limit.unwrap_or(ROWS);
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(Problem::invalid("limit", &format!("must be 1 to {MOST_ROWS}")));
    }
    let (table, key) = match query.after.as_deref().and_then(|after| after.split_once('/')) {
        Some((table, key)) => (Some(table.to_owned()), Some(key.to_owned())),
        None => (None, None),
    };
    let tables = S::tables();
    let first = match table {
        Some(table) => tables
            .iter()
            .position(|listed| listed.name() == table)
            .ok_or_else(|| Problem::invalid("after", "must be the `next` of an earlier answer"))?,
        None => 0,
    };
    let (mut found, mut next, mut after) = (Vec::new(), None, key);
    for listed in &tables[first..] {
        let left = limit - i64::try_from(found.len()).unwrap_or(limit);
        let page = listed.page(app.engine.db(), after.take().as_deref(), left).await?;
        next = page.last().map(|(key, _)| format!("{}/{key}", listed.name())).or(next);
        found.extend(page.into_iter().map(|(_, row)| row));
        if i64::try_from(found.len()).unwrap_or(limit) >= limit {
            return Ok(Json(json!({ "rows": found, "next": next })));
        }
    }
    Ok(Json(json!({ "rows": found, "next": null })))
}
