//! `GET /payments/{order_id}`: what the payment service knows of an order.

use axum::{Json, extract::State};
use contracts::{Money, OrderId};
use quintet::{
    App,
    http::{AggregatePath, Problem},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Payment, PaymentService, State as Status};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub(super) struct View {
    /// The order.
    order_id: OrderId,
    /// Where the payment stands.
    status: Status,
    /// What the order costs; null while payment has not heard of it.
    amount: Option<Money>,
    /// The payment provider's reference of the charge; null while there is none.
    charge: Option<String>,
    /// The payment provider's reference of the refund; null while there is none.
    refund: Option<String>,
    /// Why the provider refused the charge or the refund; null if it did not.
    reason: Option<String>,
}

/// Shows what the payment service knows of an order.
#[utoipa::path(get, path = "/payments/{order_id}", operation_id = "get_payment", tag = "payments",
    params(("order_id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "What is known.", body = View),
        (status = 404, description = "Nothing is known of this order."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<PaymentService>>,
    AggregatePath(order): AggregatePath<OrderId>,
) -> Result<Json<View>, Problem> {
    let payment: Option<Payment> = app.engine.db().find(order).await?;
    let payment = payment.ok_or_else(|| Problem::not_found("payment of this order"))?;
    Ok(Json(View {
        order_id: order,
        status: payment.state,
        amount: payment.amount(),
        charge: payment.charge,
        refund: payment.refund,
        reason: payment.reason,
    }))
}
