//! `POST /admin/payments/{order_id}/refund`: requests a refused refund again, for operators.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use contracts::OrderId;
use quintet::{
    App,
    http::{AggregatePath, Problem, TraceContext},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{PaymentService, Reply, RetryRefund, State as Status};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retrying {
    /// The order.
    order_id: OrderId,
    status: Status,
}

/// Requests a refused refund again, under a new key.
#[utoipa::path(post, path = "/admin/payments/{order_id}/refund", operation_id = "retry_refund",
    tag = "admin",
    params(("order_id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 202, description = "The refund is requested again.", body = Retrying),
        (status = 404, description = "Nothing is known of this order."),
        (status = 409, description = "The refund was not refused."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<PaymentService>>,
    AggregatePath(order_id): AggregatePath<OrderId>,
    TraceContext(trace): TraceContext,
) -> Result<Response, Problem> {
    match app.commands.send(RetryRefund { order_id }, None, trace).await? {
        Reply::Retrying => {
            let body = Retrying { order_id, status: Status::Refunding };
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        Reply::NotRefused(state) => {
            let state: &str = state.into();
            let detail = format!("the payment is {state}; only a refused refund is tried again");
            Err(Problem::new(StatusCode::CONFLICT, &detail))
        }
        Reply::Unknown => Err(Problem::not_found("payment of this order")),
    }
}
