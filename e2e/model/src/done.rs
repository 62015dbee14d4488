use audit::{BookingStatus, ChargeStatus, RefundStatus};
use contracts::OrderId;

use crate::{Entry, Saga, State};

/// What the providers have done: the orders that were captured, refunded and booked.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) captured: Vec<OrderId>,
    pub(crate) refunded: Vec<OrderId>,
    pub(crate) booked: Vec<OrderId>,
}

impl Saga {
    /// What the providers have done, from their ledger.
    pub(crate) fn done(&self, state: &State) -> Done {
        let mut done = Done::default();
        for entry in self.ledger(state) {
            match &*entry {
                Entry::Charge(charge) if charge.status == ChargeStatus::Captured => {
                    done.captured.push(charge.order_id);
                }
                Entry::Refund(refund) if refund.status == RefundStatus::Refunded => {
                    done.refunded.push(refund.order_id);
                }
                Entry::Booking(booking) if booking.status == BookingStatus::Booked => {
                    done.booked.push(booking.order_id);
                }
                _ => {}
            }
        }
        done
    }
}
