use contracts::{Currency, Money, OrderId};
use serde::{Deserialize, Serialize};

use crate::{Charge, Effect, Out, Refund};

/// What the payment service knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// The order.
    pub order_id: OrderId,
    /// The state of its payment.
    pub state: State,
    /// What it costs, once known.
    pub amount_minor: Option<i64>,
    /// The currency of the amount.
    pub currency: Option<Currency>,
    /// The customer's means of payment, as the gateway's token.
    #[serde(skip)]
    pub token: Option<String>,
    /// The gateway's reference of the charge.
    pub charge: Option<String>,
    /// The gateway's reference of the refund.
    pub refund: Option<String>,
    /// How many refunds were requested, each under a key of its own.
    pub refund_attempts: i64,
    /// Why the gateway refused, if it did.
    pub reason: Option<String>,
}

/// The states of a payment. *Declined*, *refunded*, *voided* and *closed* are final.
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
#[schema(as = PaymentStatus)]
pub enum State {
    /// The amount is known; the go-ahead, `StockReserved`, has not come.
    HasAmount,
    /// The go-ahead has come; the amount is not known.
    HasGo,
    /// The gateway was asked for the money.
    Charging,
    /// The gateway was asked for the money, and the order has been cancelled since.
    ChargingUndo,
    /// The gateway has the money.
    Captured,
    /// The gateway refused the charge.
    Declined,
    /// The gateway was asked to give the money back.
    Refunding,
    /// The gateway has given the money back.
    Refunded,
    /// The gateway refused to: an operator has to look.
    Attention,
    /// The order was cancelled before anything was charged, and `PaymentVoided` was published.
    Voided,
    /// The order ended while the amount or the go-ahead was missing.
    Closed,
}

impl Payment {
    /// A payment of which only the order is known.
    #[must_use]
    pub fn new(order_id: OrderId, state: State) -> Self {
        Self {
            order_id,
            state,
            amount_minor: None,
            currency: None,
            token: None,
            charge: None,
            refund: None,
            refund_attempts: 0,
            reason: None,
        }
    }

    /// What it costs, once known.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        Some(Money { amount_minor: self.amount_minor?, currency: self.currency? })
    }

    /// Requests the charge from the gateway.
    pub(crate) fn charge(&mut self, out: &mut Out) {
        let (Some(amount), Some(token)) = (self.amount(), self.token.clone()) else { return };
        self.state = State::Charging;
        out.request(Effect::Charge(Charge { order_id: self.order_id, amount, token }));
    }

    /// Requests a refund from the gateway, under a new key each time.
    pub(crate) fn refund(&mut self, out: &mut Out) {
        let (Some(amount), Some(charge)) = (self.amount(), self.charge.clone()) else { return };
        self.state = State::Refunding;
        self.refund_attempts += 1;
        let (order_id, attempt) = (self.order_id, self.refund_attempts);
        out.request(Effect::Refund(Refund { order_id, amount, charge, attempt }));
    }
}
