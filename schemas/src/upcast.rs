//! Conversions between versions: data of an older version is upcast to the next one, and a newer event can be
//! published in an older version.

use event::Earlier;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Address, Currency, Customer, Item, OrderId, OrderPlaced, PaymentMethod};

/// The data of `OrderPlaced` v1, whose total is in euro cents.
#[derive(Serialize)]
pub(crate) struct OrderPlacedV1<'a> {
    order_id: OrderId,
    customer: &'a Customer,
    items: &'a [Item],
    shipping_address: &'a Address,
    payment: &'a PaymentMethod,
    total_cents: i64,
}

impl<'a> Earlier<'a, OrderPlaced> for OrderPlacedV1<'a> {
    fn upcast(data: &mut Value) {
        if let Value::Object(data) = data
            && let Some(cents) = data.remove("total_cents")
        {
            let total = json!({ "amount_minor": cents, "currency": Currency::EUR });
            data.insert("total".to_owned(), total);
        }
    }

    /// `None` unless the total is in euros.
    fn downcast(order: &'a OrderPlaced) -> Option<Self> {
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
