//! The routes of the admin listener: the service's status, and its rows for the auditor.

use std::marker::PhantomData;

use async_trait::async_trait;
use axum::{Json, extract::State, response::Response, routing::get};
use engine::{Participant, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Db, Field, Record, StoreError};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App, Service, dead_letters, effects,
    http::{Listing, Problem, Query, limit},
};

/// The rows of one answer, unless the request gives a `limit`.
const ROWS: i64 = 500;
/// The largest `limit`.
const MOST_ROWS: i64 = 5_000;

/// A table whose rows the auditor reads.
#[async_trait]
pub trait Listed: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Whether this text has the form of a key of this table.
    fn is_key(&self, text: &str) -> bool;

    /// The rows after the key `after`, at most `limit`, each with its key.
    async fn page(
        &self,
        db: &Db,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(String, Value)>, StoreError>;
}

/// Lists the table of a record type.
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

    fn is_key(&self, text: &str) -> bool {
        text.parse::<R::Key>().is_ok()
    }

    async fn page(
        &self,
        db: &Db,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(String, Value)>, StoreError> {
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

pub(crate) fn routes<S: Service>() -> OpenApiRouter<App<S>> {
    OpenApiRouter::with_openapi(Admin::openapi())
        .route("/admin/status", get(status::<S>))
        .route("/admin/rows", get(rows::<S>))
        .merge(dead_letters::routes())
        .merge(effects::routes())
        .merge(S::admin_routes())
}

#[derive(OpenApi)]
#[openapi(paths(status, rows))]
struct Admin;

/// The service's status: what waits, and for how long.
#[utoipa::path(get, path = "/admin/status", operation_id = "get_status", tag = "admin",
    responses((status = 200, description = "The status.", body = Status)),
)]
async fn status<P: Participant>(State(app): State<App<P>>) -> Result<Json<Status>, Problem> {
    Ok(Json(app.engine.status(&*app.bus).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RowsQuery {
    /// The `next` of the previous answer.
    after: Option<String>,
    /// The most rows to return.
    #[param(minimum = 1, maximum = 5000, default = 500)]
    #[serde(default, deserialize_with = "limit::<MOST_ROWS, _>")]
    limit: Option<i64>,
}

/// Rows, one table after another.
#[derive(Debug, Serialize, ToSchema)]
struct Rows {
    /// The rows, each with the name of its `table`.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
    /// The value of `after` that continues the list; null at its end.
    next: Option<String>,
}

/// Lists the service's rows in bulk, one table after another.
#[utoipa::path(get, path = "/admin/rows", operation_id = "list_rows", tag = "admin",
    params(RowsQuery),
    responses((status = 200, description = "Some rows, and where the list continues.", body = Rows)),
)]
async fn rows<S: Service>(
    State(app): State<App<S>>,
    Query(query): Query<RowsQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(ROWS);
    let tables = S::tables();
    let (first, mut after) = match &query.after {
        Some(after) => cursor(&tables, after)
            .map(|(table, key)| (table, Some(key)))
            .ok_or_else(|| Problem::invalid("after", "must be the `next` of an earlier answer"))?,
        None => (0, None),
    };
    let (mut found, mut next) = (Vec::new(), None);
    for listed in &tables[first..] {
        let remaining = limit - i64::try_from(found.len()).unwrap_or(limit);
        let page = listed.page(app.engine.db(), after.take(), remaining).await?;
        next = page.last().map(|(key, _)| format!("{}/{key}", listed.name())).or(next);
        found.extend(page.into_iter().map(|(_, row)| row));
        if i64::try_from(found.len()).unwrap_or(limit) >= limit {
            return listing.answer(&Rows { rows: found, next });
        }
    }
    listing.answer(&Rows { rows: found, next: None })
}

/// The index of the table, and the key in it, that a `next` names.
fn cursor<'a>(tables: &[Box<dyn Listed>], next: &'a str) -> Option<(usize, &'a str)> {
    let (name, key) = next.split_once('/')?;
    let table = tables.iter().position(|table| table.name() == name && table.is_key(key))?;
    Some((table, key))
}
