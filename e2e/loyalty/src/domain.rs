use contracts::OrderId;
use serde::{Deserialize, Serialize};

/// What loyalty knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// The order.
    pub order_id: OrderId,
    /// What is known of it.
    pub state: State,
    /// Whose it is. Personal data: a column that can be erased.
    #[serde(skip)]
    pub email: Option<String>,
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
    /// The customer.
    pub email: String,
    /// All that were counted.
    pub points: i64,
}
