//! The payment service, as the tests play it.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, EventType, OrderId};
use engine::{Effect as _, Outside, What};
use event::{EffectId, derived};
use inventory::Product;
use payment::{
    ChargeAnswer, Effect, Outcome, Payment, PaymentService, Providers, RefundAnswer, RetryRefund,
};
use quintet_test::{AGGREGATE, Described, example_of, row_of};
use serde_json::{Value, json};
use store::{Db, Rows};

use crate::{
    Entry, OrderSaga, OutsideWorld,
    entry::key,
    examples::{order_of, placed},
};

#[async_trait]
impl Described<OrderSaga> for PaymentService {
    type Row = Payment;

    fn simulated() -> Self {
        Self
    }

    fn outside(world: &Arc<OutsideWorld>) -> Arc<dyn Outside<Self>> {
        Arc::new(Providers(Arc::clone(world) as _))
    }

    fn world(payments: Rows<Payment>, _: &Product) -> payment::World {
        payment::World { payments }
    }

    fn rows(world: &payment::World) -> &Rows<Payment> {
        &world.payments
    }

    fn beginnings() -> Vec<payment::World> {
        vec![payment::World { payments: Rows::absent([AGGREGATE.into()]) }]
    }

    fn settle(world: &mut payment::World) {
        if let Some(payment) = world.payments.get_mut(&AGGREGATE.into()) {
            payment.refund_attempts = 0;
        }
    }

    fn wishes(order_id: OrderId) -> Vec<RetryRefund> {
        vec![RetryRefund { order_id }]
    }

    fn outcomes(effect: &Effect) -> Vec<Outcome> {
        let (reference, reason) = ("r".to_owned(), "no".to_owned());
        match effect {
            Effect::Charge(_) => {
                let captured = ChargeAnswer::Captured { reference };
                [captured, ChargeAnswer::Declined { reason }].map(Outcome::Charge).into()
            }
            Effect::Refund(_) => {
                let refunded = RefundAnswer::Refunded { reference };
                [refunded, RefundAnswer::Refused { reason }].map(Outcome::Refund).into()
            }
        }
    }

    fn entry(effect: &Effect, answer: &Outcome) -> Option<Entry> {
        let (order_id, idempotency_key) = (effect.aggregate(), key(effect.id()));
        Some(match (effect, answer) {
            (Effect::Charge(charge), Outcome::Charge(answer)) => Entry::Charge(audit::Charge {
                order_id,
                idempotency_key,
                amount_minor: charge.amount.amount_minor,
                currency: charge.amount.currency,
                status: match answer {
                    ChargeAnswer::Captured { .. } => audit::ChargeStatus::Captured,
                    ChargeAnswer::Declined { .. } => audit::ChargeStatus::Declined,
                },
                requests: 1,
            }),
            (Effect::Refund(refund), Outcome::Refund(answer)) => Entry::Refund(audit::Refund {
                order_id,
                idempotency_key,
                amount_minor: refund.amount.amount_minor,
                currency: refund.amount.currency,
                status: match answer {
                    RefundAnswer::Refunded { .. } => audit::RefundStatus::Refunded,
                    RefundAnswer::Refused { .. } => audit::RefundStatus::Refused,
                },
                requests: 1,
            }),
            _ => unreachable!("a charge is not answered by a refund"),
        })
    }

    fn before(event: &Event) -> Vec<What<Self>> {
        let order_id = order_of(event);
        let placed = What::Event(placed(order_id).into());
        let go_ahead = What::Event(example_of(EventType::StockReserved, order_id.into()));
        let reference = "ch_1".to_owned();
        let captured = Outcome::Charge(ChargeAnswer::Captured { reference });
        match event {
            Event::StockReserved(_) | Event::OrderCancelled(_) => vec![placed],
            Event::ShipmentVoided(_) | Event::ShipmentFailed(_) => {
                vec![placed, go_ahead, What::Outcome(order_id, captured)]
            }
            _ => Vec::new(),
        }
    }

    fn asked_for(event: &Event) -> Option<EffectId> {
        let order = order_of(event).into();
        Some(derived(order, order, "charge", 0).into())
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let payment: Payment = row_of(db, event).await;
        json!({ "row": payment, "token": payment.token })
    }
}
