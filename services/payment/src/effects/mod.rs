//! The payment service's requests to the gateway.

mod gateway;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Money, OrderId};
use quintet::{Attempt, EffectId, Impossible, Outside, Resolution, Trace};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use gateway::HttpGateway;

use crate::PaymentService;

/// A request to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Take the customer's money.
    Charge(Charge),
    /// Give it back.
    Refund(Refund),
}

/// See [`Effect::Charge`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// For this order.
    pub order_id: OrderId,
    /// The amount to charge.
    pub amount: Money,
    /// From this means of payment.
    pub token: String,
}

/// See [`Effect::Refund`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// For this order.
    pub order_id: OrderId,
    /// The amount to give back.
    pub amount: Money,
    /// Of this charge, by the gateway's reference.
    pub charge: String,
    /// The number of the attempt, from 1. A retry by an operator is the next attempt.
    pub attempt: i64,
}

/// The gateway's definite answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer to a charge.
    Charge(ChargeAnswer),
    /// The answer to a refund.
    Refund(RefundAnswer),
}

/// The gateway's definite answer to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeAnswer {
    /// The gateway has the money.
    Captured {
        /// Its reference.
        reference: String,
    },
    /// It refused.
    Declined {
        /// Why.
        reason: String,
    },
}

/// The gateway's definite answer to a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundAnswer {
    /// The customer has the money back.
    Refunded {
        /// Its reference.
        reference: String,
    },
    /// It refused.
    Refused {
        /// Why.
        reason: String,
    },
}

impl quintet::Effect<OrderId> for Effect {
    fn aggregate(&self) -> OrderId {
        match self {
            Self::Charge(charge) => charge.order_id,
            Self::Refund(refund) => refund.order_id,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Charge(_) => "charge".into(),
            Self::Refund(refund) => format!("refund-{}", refund.attempt),
        }
    }

    /// All charges of one card share a key, because they fail together.
    fn isolation_key(&self) -> String {
        match self {
            Self::Charge(charge) => format!("token {}", charge.token),
            Self::Refund(refund) => format!("charge {}", refund.charge),
        }
    }

    /// Hides the token, which is enough to charge the card.
    fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(token) = shown.get_mut("token") {
            *token = "hidden".into();
        }
        shown
    }
}

/// The outcome of a held request, as an operator found it at the gateway.
pub(crate) fn resolve(effect: &Effect, resolution: &Resolution) -> Result<Outcome, Impossible> {
    match (effect, resolution.outcome.as_str()) {
        (Effect::Charge(_), "captured") => {
            Ok(Outcome::Charge(ChargeAnswer::Captured { reference: resolution.reference()? }))
        }
        (Effect::Charge(_), "declined" | Resolution::NEVER_ARRIVED) => {
            Ok(Outcome::Charge(ChargeAnswer::Declined { reason: resolution.reason() }))
        }
        (Effect::Charge(_), _) => Err(Impossible::outcome("captured, declined or never_arrived")),
        (Effect::Refund(_), "refunded") => {
            Ok(Outcome::Refund(RefundAnswer::Refunded { reference: resolution.reference()? }))
        }
        (Effect::Refund(_), "refused" | Resolution::NEVER_ARRIVED) => {
            Ok(Outcome::Refund(RefundAnswer::Refused { reason: resolution.reason() }))
        }
        (Effect::Refund(_), _) => Err(Impossible::outcome("refunded, refused or never_arrived")),
    }
}

/// A payment gateway that carries out a request once per idempotency key.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Takes the money, at most once per key.
    async fn charge(&self, key: EffectId, charge: &Charge, trace: &Trace) -> Attempt<ChargeAnswer>;

    /// Gives the money back, at most once per key.
    async fn refund(&self, key: EffectId, refund: &Refund, trace: &Trace) -> Attempt<RefundAnswer>;
}

/// The payment service's connection to the outside world.
pub struct Providers(pub Arc<dyn Gateway>);

#[async_trait]
impl Outside<PaymentService> for Providers {
    async fn attempt(&self, id: EffectId, effect: Effect, trace: Trace) -> Attempt<Outcome> {
        match effect {
            Effect::Charge(charge) => match self.0.charge(id, &charge, &trace).await {
                Attempt::NoAnswer(reason) if quintet::inject_bug!(DoubtIsNo) => {
                    Attempt::Answered(Outcome::Charge(ChargeAnswer::Declined { reason }))
                }
                attempt => attempt.map(Outcome::Charge),
            },
            Effect::Refund(refund) => self.0.refund(id, &refund, &trace).await.map(Outcome::Refund),
        }
    }
}
