//! What an operator asks about dead letters, and does with them.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use engine::{DeadLetters, Discarded, Key, Lane, Participant, Replaying};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::{
    App, Service,
    http::{AggregatePath, Listing, Problem, Query, limit},
};

/// Lanes of one answer unless asked otherwise, and at most.
const LANES: i64 = 100;
const MOST_LANES: i64 = 1_000;

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
    /// How many lanes, at most.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, deserialize_with = "limit::<MOST_LANES, _>")]
    limit: Option<i64>,
}

/// Lists what could not be applied, and what waits behind it, grouped by cause.
#[utoipa::path(get, path = "/admin/dead-letters", operation_id = "list_dead_letters", tag = "admin",
    params(ListQuery),
    responses((status = 200, description = "What is parked, and how to go on.", body = DeadLetters)),
)]
async fn list<P: Participant>(
    State(app): State<App<P>>,
    Query(query): Query<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(LANES);
    listing.answer(&app.engine.dead_letters(query.after, limit).await?)
}

/// Shows all that is parked of an aggregate, in order, each record with what is wrong with it.
#[utoipa::path(get, path = "/admin/dead-letters/{aggregate}", operation_id = "get_dead_letters",
    tag = "admin",
    params(("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none.")),
    responses(
        (status = 200, description = "The letters of the aggregate.", body = Lane),
        (status = 404, description = "Nothing is parked under this id."),
    ),
)]
async fn show<P: Participant>(
    State(app): State<App<P>>,
    AggregatePath(aggregate): AggregatePath<Key<P>>,
    listing: Listing,
) -> Result<Response, Problem> {
    let lane = app.engine.dead_letter(aggregate.into()).await?.ok_or_else(nothing_parked)?;
    listing.answer(&lane)
}

/// Has all that is parked of an aggregate tried again, in order, up to the first that fails again.
#[utoipa::path(post, path = "/admin/dead-letters/{aggregate}/replay",
    operation_id = "replay_dead_letters", tag = "admin",
    params(("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none.")),
    responses(
        (status = 202, description = "They are being tried.", body = Replaying),
        (status = 404, description = "Nothing is parked under this id."),
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
    /// All of them, and not only the first, which holds the others up.
    #[param(nullable = false, default = false)]
    all: Option<bool>,
}

/// Throws away the first of what is parked of an aggregate, or all of it. It will never be applied.
#[utoipa::path(post, path = "/admin/dead-letters/{aggregate}/discard",
    operation_id = "discard_dead_letters", tag = "admin",
    params(
        ("aggregate" = Uuid, Path, description = "The aggregate; or the id of a record that names none."),
        DiscardQuery,
    ),
    responses(
        (status = 200, description = "What is gone, and what is left.", body = Discarded),
        (status = 404, description = "Nothing is parked under this id."),
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
