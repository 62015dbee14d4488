//! Notification's routes.

mod get_notification;

use axum::{Router, routing::get};
use service::App;

use crate::NotificationService;

pub(crate) fn routes() -> Router<App<NotificationService>> {
    Router::new().route("/notifications/{order_id}", get(get_notification::handle))
}
