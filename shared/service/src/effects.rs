//! The admin routes about requests to the outside world: an operator lists them, retries those that are held, and
//! resolves those whose outcome is known from the provider.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use engine::{EffectPage, EffectView, Impossible, Participant, Resolution, ResolveError};
use event::EffectId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App, Service,
    http::{Body, Field, FromJson, Listing, Problem, Query, limit},
};

/// The requests of one answer, unless the query gives a `limit`.
const EFFECTS: i64 = 100;
/// The largest `limit`.
const MOST_EFFECTS: i64 = 1_000;

pub(crate) fn routes<S: Service>() -> OpenApiRouter<App<S>> {
    OpenApiRouter::with_openapi(Routes::openapi())
        .route("/admin/effects", get(list::<S>))
        .route("/admin/effects/retry", post(retry_held::<S>))
        .route("/admin/effects/{effect}", get(show::<S>))
        .route("/admin/effects/{effect}/retry", post(retry::<S>))
        .route("/admin/effects/{effect}/resolve", post(resolve::<S>))
}

#[derive(OpenApi)]
#[openapi(paths(list, show, retry_held, retry, resolve))]
struct Routes;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whether to list only requests that are held for an operator.
    #[param(nullable = false, default = false)]
    held: Option<bool>,
    /// The `next` of the previous answer.
    #[param(nullable = false)]
    after: Option<EffectId>,
    /// The most requests to return.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, deserialize_with = "limit::<MOST_EFFECTS, _>")]
    limit: Option<i64>,
}

/// Lists the requests to the outside world that have no definite answer yet.
#[utoipa::path(get, path = "/admin/effects", operation_id = "list_effects", tag = "admin",
    params(ListQuery),
    responses((status = 200, description = "Some requests, and where the list continues.", body = EffectPage)),
)]
async fn list<P: Participant>(
    State(app): State<App<P>>,
    Query(query): Query<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(EFFECTS);
    listing.answer(&app.engine.effects(query.held.unwrap_or(false), query.after, limit).await?)
}

/// Shows one request, and why it has no answer yet.
#[utoipa::path(get, path = "/admin/effects/{effect}", operation_id = "get_effect", tag = "admin",
    params(("effect" = EffectId, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request.", body = EffectView),
        (status = 404, description = "No request with this id waits for an answer."),
    ),
)]
async fn show<P: Participant>(
    State(app): State<App<P>>,
    EffectPath(id): EffectPath,
) -> Result<Json<EffectView>, Problem> {
    app.engine.effect(id).await?.map(Json).ok_or_else(unknown)
}

/// The answer to a retry.
#[derive(Debug, Serialize, ToSchema)]
struct Retried {
    /// How many requests are attempted now.
    retried: u64,
}

/// Attempts a request now, without waiting for the end of its pause.
#[utoipa::path(post, path = "/admin/effects/{effect}/retry", operation_id = "retry_effect",
    tag = "admin",
    params(("effect" = EffectId, Path, description = "The request.")),
    responses(
        (status = 202, description = "The request is attempted now.", body = Retried),
        (status = 404, description = "No request with this id waits for an answer."),
        (status = 409, description = "The request is resolved: it is not attempted any more."),
    ),
)]
async fn retry<P: Participant>(
    State(app): State<App<P>>,
    EffectPath(id): EffectPath,
) -> Result<Response, Problem> {
    match app.engine.retry_effects(Some(id)).await? {
        0 => Err(not_retried(app.engine.effect(id).await?.as_ref())),
        retried => Ok((StatusCode::ACCEPTED, Json(Retried { retried })).into_response()),
    }
}

/// Attempts all held requests now, without waiting for the end of their pauses.
#[utoipa::path(post, path = "/admin/effects/retry", operation_id = "retry_held_effects",
    tag = "admin",
    responses((status = 202, description = "The requests are attempted now.", body = Retried)),
)]
async fn retry_held<P: Participant>(State(app): State<App<P>>) -> Result<Response, Problem> {
    let retried = app.engine.retry_effects(None).await?;
    Ok((StatusCode::ACCEPTED, Json(Retried { retried })).into_response())
}

impl<S> FromJson<S> for Resolution {
    fn read(body: &Field<'_>, _: &S) -> Option<Self> {
        Some(Self {
            outcome: body.at("outcome").text(Self::LONGEST_TEXT),
            reference: body.at("reference").optional_text(Self::LONGEST_TEXT),
            reason: body.at("reason").optional_text(Self::LONGEST_TEXT),
        })
    }
}

/// The answer to a resolution.
#[derive(Debug, Serialize, ToSchema)]
struct Resolved {
    /// When the reported outcome is applied. By then all attempts that have begun are over. If the provider answers
    /// one of them, its answer counts and not the reported outcome.
    applied_at: Timestamp,
}

/// Ends a held request with the outcome that an operator found at the provider.
#[utoipa::path(post, path = "/admin/effects/{effect}/resolve", operation_id = "resolve_effect",
    tag = "admin",
    params(("effect" = EffectId, Path, description = "The request.")),
    request_body = Resolution,
    responses(
        (status = 202, description = "The outcome will be applied.", body = Resolved),
        (status = 404, description = "No request with this id waits for an answer."),
        (status = 409, description = "The request is not held, or it is resolved with another outcome."),
        (status = 422, description = "The request cannot have this outcome."),
    ),
)]
async fn resolve<P: Participant>(
    State(app): State<App<P>>,
    EffectPath(id): EffectPath,
    Body { value: resolution, .. }: Body<Resolution>,
) -> Result<Response, Problem> {
    match app.engine.resolve_effect(id, &resolution).await {
        Ok(applied_at) => Ok((StatusCode::ACCEPTED, Json(Resolved { applied_at })).into_response()),
        Err(ResolveError::Unknown) => Err(unknown()),
        Err(error @ (ResolveError::NotHeld | ResolveError::Resolved { .. })) => {
            Err(Problem::new(StatusCode::CONFLICT, &error.to_string()))
        }
        Err(ResolveError::Impossible(Impossible { field, why })) => {
            Err(Problem::unprocessable(&format!("/{field}"), &why))
        }
        Err(ResolveError::Store(error)) => Err(error.into()),
    }
}

/// The request's id in the path.
struct EffectPath(EffectId);

impl<S: Send + Sync> FromRequestParts<S> for EffectPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::invalid("effect", "must be the id of a request, a UUID");
        let Path(id) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| wrong())?;
        id.parse().map(Self).map_err(|_| wrong())
    }
}

/// Why a request was not retried: it is resolved, or there is none.
fn not_retried(effect: Option<&EffectView>) -> Problem {
    let Some((resolution, due_at)) =
        effect.and_then(|effect| Some((effect.resolution.as_ref()?, effect.due_at)))
    else {
        return unknown();
    };
    let outcome = &resolution.outcome;
    let why = format!(
        "this request is resolved as {outcome}, which is applied at {due_at}: it is not attempted any more"
    );
    Problem::new(StatusCode::CONFLICT, &why)
}

fn unknown() -> Problem {
    Problem::not_found("request with this id; GET /admin/effects lists those that wait")
}
