use contracts::{Address, Item, OrderId};
use quintet::store::Json;
use serde::{Deserialize, Serialize};

use crate::{Book, Out};

/// What shipping knows of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shipment {
    /// The order.
    pub order_id: OrderId,
    /// Where its parcel stands.
    pub state: State,
    /// Where it goes. Personal data: a column that can be erased.
    #[serde(skip)]
    pub address: Option<Json<Address>>,
    /// What is in it.
    pub items: Option<Json<Vec<Item>>>,
    /// The carrier's number.
    pub tracking: Option<String>,
    /// Why the carrier refused, where it did.
    pub reason: Option<String>,
}

/// The states of a shipment. *Dispatched*, *failed*, *voided* and *closed* are final.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ShipmentStatus)]
pub enum State {
    /// The address is known, the payment is not.
    HasAddress,
    /// The payment is known, the address is not.
    HasPaid,
    /// The carrier was asked. From here on it is too late to cancel.
    Booking,
    /// The carrier has it.
    Dispatched,
    /// The carrier refused.
    Failed,
    /// Stopped in time, and everybody was told.
    Voided,
    /// The order ended while shipping still waited for its part.
    Closed,
}

impl Shipment {
    /// A shipment of which nothing but the order is known.
    #[must_use]
    pub fn new(order_id: OrderId, state: State) -> Self {
        Self { order_id, state, address: None, items: None, tracking: None, reason: None }
    }

    /// Asks the carrier.
    pub(crate) fn book(&mut self, out: &mut Out) {
        let (Some(Json(address)), Some(Json(items))) = (self.address.clone(), self.items.clone())
        else {
            return;
        };
        self.state = State::Booking;
        out.request(Book { order_id: self.order_id, address, items });
    }
}
