//! OrderPlaced → nothing
//!
//! Brings the order's points. Counts them if the order is known to be completed.

use contracts::OrderPlaced;

use crate::{Purchase, State, World, customer};

/// The minor units of a currency that make a point.
const POINT: i64 = 100;

pub(crate) fn react(world: &mut World, event: &OrderPlaced) {
    let order_id = event.order_id;
    let state = match world.purchases.get(&order_id).map(|purchase| purchase.state) {
        None => State::HasPoints,
        Some(State::HasEnd) => State::HasEnd,
        Some(_) => return,
    };
    let customer = Some(customer(&event.customer.email));
    let points = event.total.amount_minor / POINT;
    world.purchases.put(Purchase { order_id, state, customer, points });
    if state == State::HasEnd {
        world.count(order_id);
    }
}
