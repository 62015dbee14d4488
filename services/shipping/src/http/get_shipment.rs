//! `GET /shipments/{order_id}`: what the shipping service knows of an order.

use axum::{Json, extract::State};
use contracts::{Address, Item, OrderId};
use quintet::{
    App,
    http::{AggregatePath, Problem},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Shipment, ShippingService, State as Status};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shipment)]
pub(super) struct View {
    /// The order.
    order_id: OrderId,
    /// Where the shipment stands.
    status: Status,
    /// Where the parcel goes; null while shipping has not heard of the order.
    address: Option<Address>,
    /// What is in the parcel; null while shipping has not heard of the order.
    items: Option<Vec<Item>>,
    /// The carrier's tracking number; null while there is none.
    tracking: Option<String>,
    /// Why the carrier refused the parcel; null if it did not.
    reason: Option<String>,
}

/// Shows what the shipping service knows of an order.
#[utoipa::path(get, path = "/shipments/{order_id}", operation_id = "get_shipment", tag = "shipments",
    params(("order_id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "What is known.", body = View),
        (status = 404, description = "Nothing is known of this order."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<ShippingService>>,
    AggregatePath(order): AggregatePath<OrderId>,
) -> Result<Json<View>, Problem> {
    let shipment: Option<Shipment> = app.engine.db().find(order).await?;
    let shipment = shipment.ok_or_else(|| Problem::not_found("shipment of this order"))?;
    Ok(Json(View {
        order_id: order,
        status: shipment.state,
        address: shipment.address.map(|address| address.0),
        items: shipment.items.map(|items| items.0),
        tracking: shipment.tracking,
        reason: shipment.reason,
    }))
}
