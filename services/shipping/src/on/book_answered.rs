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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Shipment,
        support::{
            Applied, apply, assert_ignored, assert_repeat_ignored, booked, cancellation_requested,
            captured, ending, every_world, order_id, placed, refused, shipment, unknown, world_in,
            worlds_except,
        },
    };

    #[test]
    fn a_parcel_that_the_carrier_takes_is_published_as_dispatched() {
        let mut world = world_in(State::Booking);
        let before = shipment(&world).cloned().unwrap();
        let dispatched = ShipmentDispatched { order_id: order_id(), tracking: "JD014600".into() };
        assert_eq!(apply(&mut world, booked()), Applied::event(dispatched));
        let tracking = Some("JD014600".into());
        let expected = Shipment { state: State::Dispatched, tracking, ..before };
        assert_eq!(shipment(&world), Some(&expected));
    }

    #[test]
    fn a_parcel_that_the_carrier_refuses_is_published_as_failed() {
        let mut world = world_in(State::Booking);
        let before = shipment(&world).cloned().unwrap();
        let failed = ShipmentFailed { order_id: order_id(), reason: "address unknown".into() };
        assert_eq!(apply(&mut world, refused()), Applied::event(failed));
        let reason = Some("address unknown".into());
        assert_eq!(shipment(&world), Some(&Shipment { state: State::Failed, reason, ..before }));
    }

    #[test]
    fn an_answer_about_an_unknown_order_is_ignored() {
        assert_ignored(&unknown(), booked());
        assert_ignored(&unknown(), refused());
    }

    #[test]
    fn an_answer_is_ignored_in_a_state_without_a_pending_booking() {
        for world in worlds_except(&[State::Booking]) {
            assert_ignored(&world, booked());
            assert_ignored(&world, refused());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), booked);
        assert_repeat_ignored(every_world(), refused);
    }

    #[test]
    fn the_answer_decides_whether_the_cancellation_request_comes_before_or_after_it() {
        for (answer, state) in [(booked as fn() -> _, State::Dispatched), (refused, State::Failed)]
        {
            let before = ending([placed(), captured(), cancellation_requested(), answer()]);
            let shown = before.shipment.as_ref().map(|shipment| shipment.state);
            assert_eq!((shown, before.followed.events.len()), (Some(state), 1));
            let after = ending([placed(), captured(), answer(), cancellation_requested()]);
            assert_eq!(after, before);
        }
    }
}
