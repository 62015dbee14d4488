//! ShipmentFailed → StockReleased

use contracts::ShipmentFailed;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    world.release(event.order_id, out);
}

#[cfg(test)]
mod tests {
    use contracts::StockReleased;

    use crate::{
        Product, Reservation, State,
        support::{
            Applied, apply, assert_ignored, assert_repeat_ignored, every_world, order_id, product,
            reservation, shelf, shipment_failed, world_in, worlds_except,
        },
    };

    #[test]
    fn every_line_that_was_set_aside_is_free_again_and_that_is_told() {
        let mut world = world_in(State::Reserved);
        let before = reservation(&world).cloned().unwrap();
        let (mug, pot) = (product(&world, "mug"), product(&world, "pot"));
        let released = StockReleased { order_id: order_id() };
        assert_eq!(apply(&mut world, shipment_failed()), Applied::event(released));
        let expected = Reservation { state: State::Released, ..before };
        assert_eq!(reservation(&world), Some(&expected));
        assert_eq!(product(&world, "mug"), Product { reserved: 0, ..mug });
        assert_eq!(product(&world, "pot"), Product { reserved: 0, ..pot });
    }

    #[test]
    fn an_unknown_order_stays_unknown() {
        assert_ignored(&shelf(), shipment_failed());
    }

    #[test]
    fn in_every_state_but_reserved_nothing_happens() {
        for world in worlds_except(&[State::Reserved]) {
            assert_ignored(&world, shipment_failed());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), shipment_failed);
    }
}
