//! ShipmentFailed → *refund (PaymentRefunded)

use contracts::ShipmentFailed;

use crate::{Out, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    let payment = world.payments.get_mut(&event.order_id);
    if let Some(payment) = payment.filter(|payment| payment.state == State::Captured) {
        payment.refund(out);
    }
}
