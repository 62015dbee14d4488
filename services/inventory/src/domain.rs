use contracts::{Currency, Item, Money, OrderId, Shortage, Sku};
use quintet::store::Json;
use serde::{Deserialize, Serialize};

/// What inventory knows of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reservation {
    /// The order.
    pub order_id: OrderId,
    /// What became of its stock.
    pub state: State,
    /// What was reserved; empty where nothing ever was.
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
    /// All lines are set aside.
    Reserved,
    /// Not all lines were there, so none was set aside.
    Rejected,
    /// What was set aside is free again.
    Released,
    /// The order came to nothing before inventory had heard of it.
    Tombstone,
    /// The parcel is on its way.
    Shipped,
}

/// A product and its stock: `on_hand + shipped = stocked`, and `reserved` of what is on hand is
/// set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// What it is called in orders.
    pub sku: Sku,
    /// What a customer reads.
    pub name: String,
    /// The price of one piece, in minor units of the currency.
    pub price_minor: i64,
    /// The price's currency.
    pub currency: Currency,
    /// Counts changes of name and price.
    pub version: i64,
    /// Pieces that ever came in.
    pub stocked: i64,
    /// Pieces on the shelf, the reserved ones included.
    pub on_hand: i64,
    /// Pieces on the shelf that belong to an order.
    pub reserved: i64,
    /// Pieces that went out.
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
