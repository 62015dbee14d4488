use contracts::{Address, Item, OrderId};
use quintet::store::Json;
use serde::{Deserialize, Serialize};

use crate::{Book, Out};

/// What the shipping service knows of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shipment {
    /// The order.
    pub order_id: OrderId,
    /// The state of its parcel.
    pub state: State,
    /// The shipping address. Personal data, so the column can be erased.
    #[serde(skip)]
    pub address: Option<Json<Address>>,
    /// The contents of the parcel.
    pub items: Option<Json<Vec<Item>>>,
    /// The carrier's tracking number.
    pub tracking: Option<String>,
    /// Why the carrier refused, if it did.
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
    /// The address is known; the order is not paid, as far as is known here.
    HasAddress,
    /// The order is paid; the address is not known.
    HasPaid,
    /// The carrier was asked. From here on it is too late to cancel.
    Booking,
    /// The carrier has the parcel.
    Dispatched,
    /// The carrier refused.
    Failed,
    /// The parcel was stopped in time, and `ShipmentVoided` was published.
    Voided,
    /// The order ended while the address or the payment was missing.
    Closed,
}

impl Shipment {
    /// A shipment of which only the order is known.
    #[must_use]
    pub fn new(order_id: OrderId, state: State) -> Self {
        Self { order_id, state, address: None, items: None, tracking: None, reason: None }
    }

    /// Requests the booking from the carrier.
    pub(crate) fn book(&mut self, out: &mut Out) {
        let (Some(Json(address)), Some(Json(items))) = (self.address.clone(), self.items.clone())
        else {
            return;
        };
        self.state = State::Booking;
        out.request(Book { order_id: self.order_id, address, items });
    }
}
