//! `POST /admin/payments/{order_id}/refund`: an operator tries a refused refund again.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use service::{
    App,
    http::{OrderPath, Problem, TraceContext},
};

use crate::{PaymentService, Reply, RetryRefund, State as Status};

pub(super) async fn handle(
    State(app): State<App<PaymentService>>,
    OrderPath(order_id): OrderPath,
    TraceContext(trace): TraceContext,
) -> Result<Response, Problem> {
    match app.commands.send(RetryRefund { order_id }, None, trace).await? {
        Reply::Retrying => {
            let body = Json(json!({ "order_id": order_id, "status": Status::Refunding }));
            Ok((StatusCode::ACCEPTED, body).into_response())
        }
        Reply::NotRefused(state) => {
            let state: &str = state.into();
            let detail = format!("the payment is {state}; only a refused refund is tried again");
            Err(Problem::new(StatusCode::CONFLICT, &detail))
        }
        Reply::Unknown => Err(Problem::not_found("payment of this order")),
    }
}
