//! ShipmentVoided → StockReleased
//!
//! Also before inventory has heard of the order: the tombstone keeps a late OrderPlaced from
//! reserving for nobody.

use contracts::{ShipmentVoided, StockReleased};
use store::Json;

use crate::{Out, Reservation, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentVoided, out: &mut Out) {
    let order_id = event.order_id;
    if world.reservations.get(&order_id).is_none() {
        let tombstone = Reservation { order_id, state: State::Tombstone, items: Json(Vec::new()) };
        if !engine::mistake!(NoTombstone) {
            world.reservations.put(tombstone);
        }
        out.emit(StockReleased { order_id });
    } else {
        world.release(order_id, out);
    }
}
