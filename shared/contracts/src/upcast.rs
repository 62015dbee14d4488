//! How data of an older version becomes data of the latest, and how a newer event is still said in
//! an older version.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Address, Currency, Customer, EventType, Item, OrderId, OrderPlaced, PaymentMethod};

/// Brings data that follows the schema of version `from` to the latest version.
pub(crate) fn upcast(event_type: EventType, from: u32, data: &mut Value) {
    if (event_type, from) == (EventType::OrderPlaced, 1) {
        order_placed_1_to_2(data);
    }
}

/// The first version knew cents of euros alone.
fn order_placed_1_to_2(data: &mut Value) {
    if let Value::Object(data) = data
        && let Some(cents) = data.remove("total_cents")
    {
        let total = json!({ "amount_minor": cents, "currency": Currency::EUR });
        data.insert("total".to_owned(), total);
    }
}

/// `OrderPlaced` as its first version says it.
#[derive(Serialize)]
pub(crate) struct OrderPlacedV1<'a> {
    order_id: OrderId,
    customer: &'a Customer,
    items: &'a [Item],
    shipping_address: &'a Address,
    payment: &'a PaymentMethod,
    total_cents: i64,
}

impl<'a> OrderPlacedV1<'a> {
    /// `None` for another currency than the euro: the first version cannot say it.
    pub(crate) fn from_latest(order: &'a OrderPlaced) -> Option<Self> {
        (order.total.currency == Currency::EUR).then_some(Self {
            order_id: order.order_id,
            customer: &order.customer,
            items: &order.items,
            shipping_address: &order.shipping_address,
            payment: &order.payment,
            total_cents: order.total.amount_minor,
        })
    }
}
