//! `GET /payments/{order_id}`: what payment knows of an order.

use axum::{Json, extract::State};
use contracts::{Money, OrderId};
use serde::Serialize;
use service::{
    App,
    http::{OrderPath, Problem},
};

use crate::{Payment, PaymentService, State as Status};

#[derive(Debug, Serialize)]
pub(super) struct View {
    order_id: OrderId,
    status: Status,
    amount: Option<Money>,
    charge: Option<String>,
    refund: Option<String>,
    reason: Option<String>,
}

pub(super) async fn handle(
    State(app): State<App<PaymentService>>,
    OrderPath(order): OrderPath,
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
