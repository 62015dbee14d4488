//! OrderCancelled → nothing
//!
//! Closes a purchase that has not ended, also if the order is unknown here yet.

use contracts::OrderCancelled;

use crate::{Purchase, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled) {
    let order_id = event.order_id;
    match world.purchases.get_mut(&order_id) {
        None => {
            let (state, customer) = (State::Closed, None);
            world.purchases.put(Purchase { order_id, state, customer, points: 0 });
        }
        Some(purchase) if purchase.state == State::HasPoints => purchase.state = State::Closed,
        Some(_) => {}
    }
}
