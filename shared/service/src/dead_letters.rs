//! The routes by which an operator looks at dead-letter queues, has them replayed, and discards from them.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use engine::{DeadLetterQueue, DeadLetters, Discarded, Key, Participant, Replaying};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::{
    App, Service,
    http::{AggregatePath, Listing, Problem, Query, limit},
};

/// The dead-letter queues of one answer, unless the request names a limit.
const QUEUES: i64 = 100;
/// The most dead-letter queues of one answer.
const MOST_QUEUES: i64 = 1_000;

pub(crate) fn routes<S: Service>() -> OpenApiRouter<App<S>> {
    OpenApiRouter::with_openapi(Routes::openapi())
        .route("/admin/dead-letters", get(list::<S>))
        .route("/admin/dead-letters/{aggregate}", get(show::<S>))
        .route("/admin/dead-letters/{aggregate}/replay", post(replay::<S>))
        .route("/admin/dead-letters/{aggregate}/discard", post(discard::<S>))
}

#[derive(OpenApi)]
#[openapi(paths(list, show, replay, discard))]
struct Routes;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The `next` of the answer before.
    #[param(nullable = false)]
    after: Option<Uuid>,
    /// How many dead-letter queues, at most.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, deserialize_with = "limit::<MOST_QUEUES, _>")]
    limit: Option<i64>,
}

/// Lists the dead-letter queues, grouped by what is wrong with their first dead letters.
#[utoipa::path(get, path = "/admin/dead-letters", operation_id = "list_dead_letters", tag = "admin",
    params(ListQuery),
    responses((status = 200, description = "The queues, and where the next page begins.", body = DeadLetters)),
)]
async fn list<P: Participant>(
    State(app): State<App<P>>,
    Query(query): Query<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(QUEUES);
    listing.answer(&app.engine.dead_letters(query.after, limit).await?)
}

/// Shows the dead-letter queue of an aggregate, each dead letter with what is wrong with it.
#[utoipa::path(get, path = "/admin/dead-letters/{aggregate}", operation_id = "get_dead_letters",
    tag = "admin",
    params(("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none.")),
    responses(
        (status = 200, description = "The dead letters of the aggregate, in order.", body = DeadLetterQueue),
        (status = 404, description = "There is no dead letter under this id."),
    ),
)]
async fn show<P: Participant>(
    State(app): State<App<P>>,
    AggregatePath(aggregate): AggregatePath<Key<P>>,
    listing: Listing,
) -> Result<Response, Problem> {
    let queue = app.engine.dead_letter_queue(aggregate.into()).await?;
    listing.answer(&queue.ok_or_else(nothing_parked)?)
}

/// Replays the dead letters of an aggregate, in order, up to the first that fails again.
#[utoipa::path(post, path = "/admin/dead-letters/{aggregate}/replay",
    operation_id = "replay_dead_letters", tag = "admin",
    params(("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none.")),
    responses(
        (status = 202, description = "The replay is requested.", body = Replaying),
        (status = 404, description = "There is no dead letter under this id."),
    ),
)]
async fn replay<P: Participant>(
    State(app): State<App<P>>,
    AggregatePath(aggregate): AggregatePath<Key<P>>,
) -> Result<Response, Problem> {
    let replaying = app.engine.replay(aggregate.into()).await?.ok_or_else(nothing_parked)?;
    Ok((StatusCode::ACCEPTED, Json(replaying)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiscardQuery {
    /// Whether to discard all dead letters of the queue, and not only the first, which holds the others up.
    #[param(nullable = false, default = false)]
    all: Option<bool>,
}

/// Discards the first dead letter of an aggregate, or all of them. A discarded record is never applied.
#[utoipa::path(post, path = "/admin/dead-letters/{aggregate}/discard",
    operation_id = "discard_dead_letters", tag = "admin",
    params(
        ("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none."),
        DiscardQuery,
    ),
    responses(
        (status = 200, description = "How many dead letters are discarded, and how many are left.", body = Discarded),
        (status = 404, description = "There is no dead letter under this id."),
    ),
)]
async fn discard<P: Participant>(
    State(app): State<App<P>>,
    AggregatePath(aggregate): AggregatePath<Key<P>>,
    Query(query): Query<DiscardQuery>,
) -> Result<Json<Discarded>, Problem> {
    let discarded = app.engine.discard(aggregate.into(), query.all.unwrap_or(false)).await?;
    discarded.map(Json).ok_or_else(nothing_parked)
}

fn nothing_parked() -> Problem {
    Problem::not_found("dead letter under this id; GET /admin/dead-letters lists those there are")
}
