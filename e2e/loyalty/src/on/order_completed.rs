//! OrderCompleted → nothing
//!
//! Counts the order's points if they are known.

use contracts::OrderCompleted;

use crate::{Purchase, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCompleted) {
    let order_id = event.order_id;
    match world.purchases.get(&order_id).map(|purchase| purchase.state) {
        None => {
            let (state, customer) = (State::HasEnd, None);
            world.purchases.put(Purchase { order_id, state, customer, points: 0 });
        }
        Some(State::HasPoints) => world.count(order_id),
        Some(_) => {}
    }
}
