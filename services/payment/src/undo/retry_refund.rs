//! RetryRefund → *refund (PaymentRefunded)
//!
//! The operator's way out of a refused refund.

use contracts::OrderId;
use serde::{Deserialize, Serialize};

use crate::{Out, State, World};

/// An operator wants a refused refund tried again, under a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRefund {
    /// Of this order.
    pub order_id: OrderId,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The gateway is being asked.
    Retrying,
    /// There is no refused refund; this is where the payment stands.
    NotRefused(State),
    /// Payment knows nothing of this order.
    Unknown,
}

impl engine::Reply for Reply {
    fn is_success(&self) -> bool {
        *self == Self::Retrying
    }
}

pub(crate) fn react(world: &mut World, command: RetryRefund, out: &mut Out) {
    let reply = match world.payments.get_mut(&command.order_id) {
        None => Reply::Unknown,
        Some(payment) if payment.state == State::Attention => {
            payment.refund(out);
            Reply::Retrying
        }
        Some(payment) => Reply::NotRefused(payment.state),
    };
    out.reply(reply);
}
