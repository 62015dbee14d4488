use contracts::OrderId;
use quintet::derived;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of the customer with this e-mail address. The address itself is not stored, so that no row, no key and no
/// response of `/admin/rows` shows it.
#[must_use]
pub fn customer(email: &str) -> Uuid {
    derived(Uuid::nil(), Uuid::nil(), &email.to_lowercase(), 0)
}

/// What the loyalty service knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// The order.
    pub order_id: OrderId,
    /// How much is known of it.
    pub state: State,
    /// The customer, once known.
    pub customer: Option<Uuid>,
    /// The points that it is worth.
    pub points: i64,
}

/// How much is known of an order. *Counted* and *closed* are final.
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
    /// The points of all completed orders.
    pub points: i64,
}
