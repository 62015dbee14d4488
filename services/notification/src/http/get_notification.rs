//! `GET /notifications/{order_id}`: the mails about an order.

use axum::{Json, extract::State};
use contracts::{Milestone, OrderId};
use serde::Serialize;
use service::{
    App,
    http::{OrderPath, Problem},
};

use crate::{MailStatus, Notification, NotificationService};

#[derive(Debug, Serialize)]
pub(super) struct View {
    order_id: OrderId,
    mails: Vec<Mail>,
}

#[derive(Debug, Serialize)]
struct Mail {
    milestone: Milestone,
    status: MailStatus,
}

pub(super) async fn handle(
    State(app): State<App<NotificationService>>,
    OrderPath(order_id): OrderPath,
) -> Result<Json<View>, Problem> {
    let known: Option<Notification> = app.engine.db().find(order_id).await?;
    let known = known.ok_or_else(|| Problem::not_found("notification about this order"))?;
    let mails = [(Some(Milestone::Placed), known.placed_mail), (known.ended, known.end_mail)];
    let mails = mails
        .into_iter()
        .filter_map(|(milestone, status)| Some(Mail { milestone: milestone?, status: status? }));
    Ok(Json(View { order_id, mails: mails.collect() }))
}
