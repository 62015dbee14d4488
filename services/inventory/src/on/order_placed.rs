//! OrderPlaced → StockReserved | StockRejected
//!
//! All lines or none.

use contracts::{OrderPlaced, StockRejected, StockReserved};
use store::Json;

use crate::{Out, Product, Reservation, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let order_id = event.order_id;
    if world.reservations.get(&order_id).is_some() {
        return;
    }
    let lines = event.items.iter();
    let missing: Vec<_> =
        lines.filter_map(|item| Product::shortage(world.products.get(&item.sku), item)).collect();
    let (state, items) = if missing.is_empty() {
        for item in &event.items {
            if let Some(product) = world.products.get_mut(&item.sku) {
                product.reserve(item.quantity);
            }
        }
        out.emit(StockReserved { order_id });
        (State::Reserved, event.items.clone())
    } else {
        out.emit(StockRejected { order_id, missing });
        (State::Rejected, Vec::new())
    };
    world.reservations.put(Reservation { order_id, state, items: Json(items) });
}
