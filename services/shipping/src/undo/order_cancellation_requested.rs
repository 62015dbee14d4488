//! OrderCancellationRequested → ShipmentVoided
//!
//! Only while the carrier was not asked; afterwards it is too late, and nothing happens. Also
//! before shipping has heard of the order.

use contracts::{OrderCancellationRequested, ShipmentVoided};

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancellationRequested, out: &mut Out) {
    let order_id = event.order_id;
    match world.shipments.get_mut(&order_id) {
        None => world.shipments.put(Shipment::new(order_id, State::Voided)),
        Some(shipment) => match shipment.state {
            State::HasAddress | State::HasPaid => shipment.state = State::Voided,
            State::Booking if engine::mistake!(VoidsTooLate) => shipment.state = State::Voided,
            _ => return,
        },
    }
    out.emit(ShipmentVoided { order_id });
}
