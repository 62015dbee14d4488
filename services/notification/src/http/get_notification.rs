//! `GET /notifications/{order_id}`: the mails about an order.

use axum::{Json, extract::State};
use contracts::{Milestone, OrderId};
use quintet::{
    App,
    http::{AggregatePath, Problem},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{MailStatus, Notification, NotificationService};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notifications)]
pub(super) struct View {
    /// The order.
    order_id: OrderId,
    /// The mails, the first one first.
    mails: Vec<Mail>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Mail {
    /// What the mail is about.
    milestone: Milestone,
    /// Where the mail stands.
    status: MailStatus,
}

/// Shows the mails about an order.
#[utoipa::path(get, path = "/notifications/{order_id}", operation_id = "get_notification", tag = "notifications",
    params(("order_id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "What is known.", body = View),
        (status = 404, description = "Nothing is known of this order."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<NotificationService>>,
    AggregatePath(order_id): AggregatePath<OrderId>,
) -> Result<Json<View>, Problem> {
    let row: Option<Notification> = app.engine.db().find(order_id).await?;
    let row = row.ok_or_else(|| Problem::not_found("notification about this order"))?;
    let mails = [(Some(Milestone::Placed), row.placed_mail), (row.ended, row.end_mail)];
    let mails = mails
        .into_iter()
        .filter_map(|(milestone, status)| Some(Mail { milestone: milestone?, status: status? }));
    Ok(Json(View { order_id, mails: mails.collect() }))
}
