use contracts::OrderId;
use quintet::derived;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The customer with this mail address: the same id for the same address. The address itself is not kept, so that no row,
/// no key and no answer of `/admin/rows` shows it.
#[must_use]
pub fn customer(email: &str) -> Uuid {
    derived(Uuid::nil(), Uuid::nil(), &email.to_lowercase(), 0)
}

/// What loyalty knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// The order.
    pub order_id: OrderId,
    /// What is known of it.
    pub state: State,
    /// Whose it is, once the order is known.
    pub customer: Option<Uuid>,
    /// What it is worth.
    pub points: i64,
}

/// What is known of an order. *Counted* and *closed* are final.
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
    /// What it is worth; it has not ended.
    HasPoints,
    /// That it was completed, but not what it is worth.
    HasEnd,
    /// Both: its points are on the account.
    Counted,
    /// It was cancelled.
    Closed,
}

/// A customer's points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Account {
    /// The customer, see [`customer`].
    pub customer: Uuid,
    /// All that were counted.
    pub points: i64,
}
