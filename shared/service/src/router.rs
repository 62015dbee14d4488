//! The routes of a listener: the service's own, those of every service, and the layer around all of them.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use edge::Peer;
use engine::Participant;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    App, Service, admin,
    http::{Failure, Problem, limit_body, limit_time, with_request_id, without_panic},
    openapi, page,
    telemetry::{__path_metrics, metrics, observe},
};

/// The public listener: the service's routes, health, `/metrics`, `/openapi.json` and its page under `/docs`.
pub fn public_router<S: Service>(app: App<S>) -> Router {
    let public = Around { app: app.clone(), private: false };
    finish(with_page(public_routes::<S>()), app, public)
}

/// The admin listener: the routes for operators and the auditor, and its `/openapi.json` and `/docs`.
pub fn admin_router<S: Service>(app: App<S>) -> Router {
    let private = Around { app: app.clone(), private: true };
    finish(with_page(admin_routes::<S>()), app, private)
}

/// The routes of a listener, and their description.
pub(crate) struct Described<P: Participant> {
    pub routes: Router<App<P>>,
    pub description: OpenApi,
}

/// The routes of the public listener.
pub(crate) fn public_routes<S: Service>() -> Described<S> {
    let health = OpenApiRouter::with_openapi(Health::openapi())
        .route("/health/live", get(live))
        .route("/health/ready", get(ready::<S>))
        .route("/metrics", get(metrics::<S>));
    described(S::routes().merge(health), S::NAME)
}

/// The routes of the admin listener.
pub(crate) fn admin_routes<S: Service>() -> Described<S> {
    described(admin::routes::<S>(), &format!("{}, admin", S::NAME))
}

fn described<P: Participant>(routes: OpenApiRouter<App<P>>, name: &str) -> Described<P> {
    let (routes, mut description) = routes.split_for_parts();
    openapi::complete::<P::Contract>(&mut description, name);
    Described { routes, description }
}

/// Adds a page that shows the description of the routes.
fn with_page<P: Participant>(described: Described<P>) -> Router<App<P>> {
    // The files of the page are compiled in, so it needs no network.
    let page = Router::from(SwaggerUi::new("/docs").url("/openapi.json", described.description));
    let routes = described.routes.merge(page.layer(middleware::map_response(page::protect)));
    // A person who opens the bare address in a browser gets the page.
    routes.route("/", get(|| async { Redirect::temporary("/docs/") }))
}

fn finish<P: Participant>(router: Router<App<P>>, app: App<P>, around: Around<P>) -> Router {
    router
        .fallback(|| async { Problem::from(Failure::NoRoute) })
        .method_not_allowed_fallback(|| async { Problem::from(Failure::WrongMethod) })
        .layer(middleware::from_fn_with_state(around, surround::<P>))
        .with_state(app)
}

/// What the layer around the routes of a listener works with.
struct Around<P: Participant> {
    app: App<P>,
    /// Whether this is the admin listener.
    private: bool,
}

impl<P: Participant> Clone for Around<P> {
    fn clone(&self) -> Self {
        Self { app: self.app.clone(), private: self.private }
    }
}

/// The layer around every route, from the outside in: trace and metrics, request id, panics, time limit, and the
/// checks of [`admit`]. It is one layer and not five, because each layer boxes the future within it: five boxes took
/// a seventh of the time of a request that makes a command.
async fn surround<P: Participant>(
    State(around): State<Around<P>>,
    request: Request,
    next: Next,
) -> Response {
    let Around { app, .. } = &around;
    let bounded = |request| {
        without_panic(limit_time(async {
            match admit(&around, request) {
                Ok(request) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        }))
    };
    let with_id = |request| with_request_id(app, request, bounded);
    observe(app, request, with_id).await
}

/// Decides by the head of a request whether it reaches its route, and bounds its body.
fn admit<P: Participant>(around: &Around<P>, request: Request) -> Result<Request, Problem> {
    let room = &around.app.room;
    let hosts = if around.private { &room.private } else { &room.public };
    let checked =
        hosts.check(request.method(), request.uri(), request.version(), request.headers());
    checked.map_err(|foreign| Problem::foreign(&foreign))?;
    let health_only = request.extensions().get::<Peer>().is_some_and(|peer| peer.health_only);
    if health_only && !request.uri().path().starts_with("/health/") {
        return Err(Problem::from(Failure::HealthOnly).and_close());
    }
    limit_body(request, room)
}

#[derive(utoipa::OpenApi)]
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

/// Whether it can work: whether its database answers and takes changes. Nothing else uses the connection that asks.
/// The broker may be away.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, description = "It can work.", body = String, content_type = "text/plain",
        example = "ready"),
))]
async fn ready<P: Participant>(State(app): State<App<P>>) -> Result<&'static str, Problem> {
    app.engine.ready(&app.health).await?;
    Ok("ready")
}
