//! Which services an order waits for and, if it needs attention, since when. Both follow from its row alone.

use contracts::EventType;
use jiff::Timestamp;
use quintet::{Db, Figure, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Order, Stage};

/// What an order past its second deadline waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attention {
    /// The services that have not answered: one of them, or both `inventory` and `payment`.
    #[schema(min_items = 1)]
    pub waiting_for: Vec<Side>,
    /// When the event that asked them was published.
    pub since: Timestamp,
}

/// A service whose answer ends an order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Side {
    /// It has not released the stock.
    Inventory,
    /// It has neither refunded nor voided the payment.
    Payment,
    /// It has neither dispatched nor voided the parcel, and has not reported a failure.
    Shipping,
}

/// The events that oblige shipping to answer. Of an order that needs attention, the cancellation
/// was requested at its first deadline at the latest.
const ASKS_SHIPPING: &[EventType] =
    &[EventType::PaymentCaptured, EventType::OrderCancellationRequested];
/// The events that oblige inventory and payment to undo what they have done.
const UNDOES: &[EventType] =
    &[EventType::PaymentDeclined, EventType::ShipmentFailed, EventType::ShipmentVoided];

impl Order {
    /// What it waits for, if it is so late that an operator has to look.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        if !self.needs_attention {
            return None;
        }
        let asked = if self.cause.is_none() { ASKS_SHIPPING } else { UNDOES };
        let asked = self.timeline.0.iter().filter(|entry| asked.contains(&entry.event));
        let since = asked.map(|entry| entry.at).min().unwrap_or(self.placed_at);
        Some(Attention { waiting_for: self.waiting_for(), since })
    }

    /// The services whose answer it needs next; none once it has ended.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<Side> {
        if self.ended.is_some() {
            return Vec::new();
        }
        if self.cause.is_none() {
            return vec![self.next_side()];
        }
        let sides = [(Side::Inventory, self.stock_settled), (Side::Payment, self.money_settled)];
        sides.into_iter().filter(|(_, settled)| !settled).map(|(side, _)| side).collect()
    }
}

impl Order {
    /// On the way forward, one service at a time is next. Once a cancellation is requested, only shipping can decide
    /// whether the order completes or is cancelled.
    fn next_side(&self) -> Side {
        match self.stage {
            _ if self.requested.is_some() || self.needs_attention => Side::Shipping,
            Stage::Placed => Side::Inventory,
            Stage::Reserved => Side::Payment,
            Stage::Paid => Side::Shipping,
        }
    }
}

/// [`Order::attention`] in SQL. The condition is that of the index `orders_attention`.
const COUNT: &str = "select count(*), \
     count(case when cause is not null and not stock_settled then 1 end), \
     count(case when cause is not null and not money_settled then 1 end), \
     count(case when cause is null then 1 end) \
     from orders where needs_attention";

/// How many orders an operator has to look at, and which services they wait for.
pub(crate) async fn figures(db: &Db) -> Result<Vec<Figure>, StoreError> {
    let rows = db.fetch(COUNT, Vec::new()).await?;
    let count = |column| rows.first().map_or(Ok(0), |row| row.get(column));
    let sides = [Side::Inventory, Side::Payment, Side::Shipping];
    let sides = (1..).zip(sides).map(|(column, side)| Ok((side.into(), count(column)?)));
    Ok(vec![
        Figure::one(
            "orders_needing_attention",
            "Open orders past their second deadline",
            count(0)?,
        ),
        Figure::by(
            "orders_stuck",
            "Open orders past their second deadline, by the service that has not answered; one order may wait for both inventory and payment",
            "waiting_for",
            sides.collect::<Result<_, StoreError>>()?,
        ),
    ])
}
