//! Notification's routes.

mod get_notification;

use quintet::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::NotificationService;

pub(crate) fn routes() -> OpenApiRouter<App<NotificationService>> {
    OpenApiRouter::default().routes(routes!(get_notification::handle))
}
