//! `POST /orders/{id}/cancellation`: requests an order's cancellation for a customer.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use contracts::OrderId;
use quintet::{
    App,
    http::{AggregatePath, LinkedTrace, Problem},
};

use super::{OrderView, get_order};
use crate::{CancelOrder, Command, Order, OrderService, Reply};

/// Requests an order's cancellation. Shipping decides whether the request came in time: the order may still
/// complete.
#[utoipa::path(post, path = "/orders/{id}/cancellation", operation_id = "cancel_order",
    tag = "orders",
    params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 202, description = "It is requested.", body = OrderView),
        (status = 404, description = "There is no such order."),
        (status = 409, description = "The order has ended."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    path @ AggregatePath(order_id): AggregatePath<OrderId>,
    trace: LinkedTrace,
) -> Result<Response, Problem> {
    let order: Option<Order> = app.engine.db().find(order_id).await?;
    let order = order.ok_or_else(|| Problem::not_found("such order"))?;
    let trace = trace.with(order.trace());
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
        Reply::Refused(_) | Reply::Repeat(_) => Err(quintet::CommandError::Failed.into()),
    }
}
