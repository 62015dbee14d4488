//! `POST /orders/{id}/cancellation`: a customer wants an order cancelled.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use service::{
    App,
    http::{OrderPath, Problem, TraceContext},
};

use super::get_order;
use crate::{CancelOrder, Command, OrderService, Reply};

pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    path @ OrderPath(order_id): OrderPath,
    TraceContext(trace): TraceContext,
) -> Result<Response, Problem> {
    let command = Command::Cancel(CancelOrder { order_id });
    match app.commands.send(command, None, trace).await? {
        Reply::Order(_) => {
            let order = get_order::handle(State(app), path).await?;
            Ok((StatusCode::ACCEPTED, order).into_response())
        }
        Reply::Ended(end) => {
            let end: &str = end.into();
            let detail = format!("the order has ended: it is {end}");
            Err(Problem::new(StatusCode::CONFLICT, &detail))
        }
        Reply::Unknown => Err(Problem::not_found("such order")),
        Reply::Refused(_) => Err(engine::CommandError::Failed.into()),
    }
}
