use contracts::{Currency, OrderId};
use quintet::{Input, Rows, StoreError, Tx, What, record, text_field};

use crate::{Payment, PaymentService, State};

/// The rows that a batch may touch: one payment per order.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The payments.
    pub payments: Rows<Payment>,
}

text_field!(State);
record!(Payment in "payment": order_id: OrderId, state: State, amount_minor: Option<i64>,
    currency: Option<Currency>, token: Option<String>, charge: Option<String>,
    refund: Option<String>, refund_attempts: i64, reason: Option<String>);

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<PaymentService>],
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| match &input.what {
            What::Command(retry) => Some(retry.order_id),
            _ => input.aggregate(),
        });
        Ok(Self { payments: Rows::load(tx, orders).await? })
    }
}
