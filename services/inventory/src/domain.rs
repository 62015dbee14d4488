use contracts::{Currency, Item, Money, OrderId, Shortage, Sku};
use quintet::store::Json;
use serde::{Deserialize, Serialize};

/// What the inventory service knows of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reservation {
    /// The order.
    pub order_id: OrderId,
    /// The state of its stock.
    pub state: State,
    /// What was reserved; empty if nothing ever was.
    pub items: Json<Vec<Item>>,
}

/// The states of a reservation. All but *reserved* are final.
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
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// All lines are reserved.
    Reserved,
    /// Some line was out of stock, so no line was reserved.
    Rejected,
    /// What was reserved is available again.
    Released,
    /// The order was cancelled before its `OrderPlaced` arrived: when that comes, it reserves nothing.
    Tombstone,
    /// The parcel is on its way.
    Shipped,
}

/// A product and its stock: `on_hand + shipped = stocked`, and `reserved` pieces of those on hand belong to open
/// orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// The name by which orders refer to it.
    pub sku: Sku,
    /// The name that customers read.
    pub name: String,
    /// The price of one piece, in minor units of the currency.
    pub price_minor: i64,
    /// The price's currency.
    pub currency: Currency,
    /// Counts changes of name and price.
    pub version: i64,
    /// Pieces that were ever added.
    pub stocked: i64,
    /// Pieces on the shelf, the reserved ones included.
    pub on_hand: i64,
    /// Pieces on the shelf that belong to open orders.
    pub reserved: i64,
    /// Pieces that were shipped.
    pub shipped: i64,
}

impl Product {
    /// The price of one piece.
    #[must_use]
    pub fn price(&self) -> Money {
        Money { amount_minor: self.price_minor, currency: self.currency }
    }

    /// Pieces that can still be reserved.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// Why a line cannot be reserved, if it cannot.
    #[must_use]
    pub fn shortage(product: Option<&Self>, item: &Item) -> Option<Shortage> {
        let available = product.map_or(0, Self::available);
        (available < item.quantity).then(|| Shortage {
            sku: item.sku.clone(),
            requested: item.quantity,
            available,
        })
    }

    pub(crate) fn reserve(&mut self, quantity: i64) {
        self.reserved += quantity;
    }

    pub(crate) fn release(&mut self, quantity: i64) {
        self.reserved -= quantity;
    }

    pub(crate) fn ship(&mut self, quantity: i64) {
        self.reserved -= quantity;
        self.on_hand -= quantity;
        self.shipped += quantity;
    }
}
