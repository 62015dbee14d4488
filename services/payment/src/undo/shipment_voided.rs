//! ShipmentVoided → PaymentVoided | *refund (PaymentRefunded)
//!
//! Nothing will be shipped. A payment that was not charged is voided, also if the order is unknown here yet. A pending
//! charge is refunded once the gateway has answered.

use contracts::{PaymentVoided, ShipmentVoided};

use crate::{Out, Payment, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentVoided, out: &mut Out) {
    let order_id = event.order_id;
    match world.payments.get_mut(&order_id) {
        None => {
            world.payments.put(Payment::new(order_id, State::Voided));
            out.emit(PaymentVoided { order_id });
        }
        Some(payment) => match payment.state {
            State::HasAmount | State::HasGo => {
                payment.state = State::Voided;
                out.emit(PaymentVoided { order_id });
            }
            State::Charging if quintet::inject_bug!(UndoForgotten) => {}
            State::Charging => payment.state = State::ChargingUndo,
            State::Captured => payment.refund(out),
            _ => {}
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, ending, every_world, order_id,
        payment, placed, refund, shipment_voided, stock_reserved, unknown, world_in, worlds_except,
    };

    fn voided() -> Applied {
        Applied::event(PaymentVoided { order_id: order_id() })
    }

    #[test]
    fn the_payment_of_an_unknown_order_is_voided() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, shipment_voided()), voided());
        assert_eq!(payment(&world), Some(&Payment::new(order_id(), State::Voided)));
    }

    #[test]
    fn a_payment_that_waits_for_amount_or_go_ahead_is_voided() {
        for state in [State::HasAmount, State::HasGo] {
            let mut world = world_in(state);
            let before = payment(&world).cloned().unwrap();
            assert_eq!(apply(&mut world, shipment_voided()), voided());
            assert_eq!(payment(&world), Some(&Payment { state: State::Voided, ..before }));
        }
    }

    #[test]
    fn a_pending_charge_is_marked_and_nothing_is_published_before_its_answer() {
        let mut world = world_in(State::Charging);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, shipment_voided()), Applied::nothing());
        assert_eq!(payment(&world), Some(&Payment { state: State::ChargingUndo, ..before }));
    }

    #[test]
    fn captured_money_is_given_back() {
        let mut world = world_in(State::Captured);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, shipment_voided()), Applied::request(refund(1)));
        let expected = Payment { state: State::Refunding, refund_attempts: 1, ..before };
        assert_eq!(payment(&world), Some(&expected));
    }

    #[test]
    fn in_every_other_state_nothing_happens() {
        let listed = [State::HasAmount, State::HasGo, State::Charging, State::Captured];
        for world in worlds_except(&listed) {
            assert_ignored(&world, shipment_voided());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), shipment_voided);
    }

    #[test]
    fn an_order_voided_before_amount_and_go_ahead_are_known_is_never_charged_and_published_once() {
        for story in [
            [shipment_voided(), placed(), stock_reserved()],
            [shipment_voided(), stock_reserved(), placed()],
            [placed(), shipment_voided(), stock_reserved()],
            [stock_reserved(), shipment_voided(), placed()],
        ] {
            let ending = ending(story);
            assert_eq!(ending.payment.map(|payment| payment.state), Some(State::Voided));
            assert_eq!(ending.followed, voided());
        }
    }
}
