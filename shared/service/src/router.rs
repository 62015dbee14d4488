//! What a listener answers: the service's routes, those that all have, and what is around them.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{Redirect, Response},
    routing::get,
};
use engine::Participant;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    App, Service, admin,
    http::{Problem, limit_body, limit_time, with_request_id, without_panic},
    openapi,
    telemetry::{__path_metrics, metrics, observe},
};

/// The public listener: the service's routes, health, `/metrics`, `/openapi.json` and its page under `/docs`.
pub fn public_router<S: Service>(app: App<S>) -> Router {
    let health = OpenApiRouter::with_openapi(Health::openapi())
        .route("/health/live", get(live))
        .route("/health/ready", get(ready::<S>))
        .route("/metrics", get(metrics::<S>));
    finish(described(S::routes().merge(health), S::NAME), app)
}

/// The admin listener: what operators and the auditor ask, and its `/openapi.json` and `/docs`.
pub fn admin_router<S: Service>(app: App<S>) -> Router {
    finish(described(admin::routes::<S>(), &format!("{}, admin", S::NAME)), app)
}

/// With the description of the routes, and a page for it.
fn described<P: Participant>(routes: OpenApiRouter<App<P>>, name: &str) -> Router<App<P>> {
    let (routes, mut description) = routes.split_for_parts();
    openapi::complete(&mut description, name);
    // Its files are part of the binary: the page needs no network.
    let page = SwaggerUi::new("/docs").url("/openapi.json", description);
    // A browser that is pointed at the listener finds its way.
    routes.merge(page).route("/", get(|| async { Redirect::temporary("/docs/") }))
}

fn finish<P: Participant>(router: Router<App<P>>, app: App<P>) -> Router {
    router
        .fallback(|| async { Problem::not_found("such route") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this route does not take this method")
        })
        .layer(middleware::from_fn_with_state(app.clone(), surround::<P>))
        .with_state(app)
}

/// What is around every route, `observe` outermost. A single layer: each boxes what it is around, and that
/// five times was a seventh of what an order's request took.
async fn surround<P: Participant>(
    State(app): State<App<P>>,
    request: Request,
    next: Next,
) -> Response {
    let bounded = |request| without_panic(limit_time(limit_body(request, next)));
    let named = |request| with_request_id(&app, request, bounded);
    observe(&app, request, named).await
}

#[derive(OpenApi)]
#[openapi(paths(live, ready, metrics))]
struct Health;

/// Whether the process runs.
#[utoipa::path(get, path = "/health/live", tag = "health", responses(
    (status = 200, description = "It runs.", body = String, content_type = "text/plain",
        example = "live"),
))]
async fn live() -> &'static str {
    "live"
}

/// Whether it can work: whether its database answers. The broker may be away.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, description = "It can work.", body = String, content_type = "text/plain",
        example = "ready"),
))]
async fn ready<P: Participant>(State(app): State<App<P>>) -> Result<&'static str, Problem> {
    app.engine.ready().await?;
    Ok("ready")
}
