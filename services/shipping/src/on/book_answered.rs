//! *book → ShipmentDispatched | ShipmentFailed

use contracts::{OrderId, ShipmentDispatched, ShipmentFailed};

use crate::{BookAnswer, Out, State, World};

pub(crate) fn react(world: &mut World, order_id: OrderId, answer: &BookAnswer, out: &mut Out) {
    let shipment = world.shipments.get_mut(&order_id);
    let Some(shipment) = shipment.filter(|shipment| shipment.state == State::Booking) else {
        return;
    };
    match answer {
        BookAnswer::Booked { tracking } => {
            shipment.state = State::Dispatched;
            shipment.tracking = Some(tracking.clone());
            out.emit(ShipmentDispatched { order_id, tracking: tracking.clone() });
        }
        BookAnswer::Refused { reason } => {
            shipment.state = State::Failed;
            shipment.reason = Some(reason.clone());
            out.emit(ShipmentFailed { order_id, reason: reason.clone() });
        }
    }
}
