//! OrderCancelled → nothing
//!
//! Closes what still waits for its other half, or the row would wait for ever.

use contracts::OrderCancelled;

use crate::{Payment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled) {
    match world.payments.get_mut(&event.order_id) {
        None => world.payments.put(Payment::new(event.order_id, State::Closed)),
        Some(payment) => {
            if let State::HasAmount | State::HasGo = payment.state {
                payment.state = State::Closed;
            }
        }
    }
}
