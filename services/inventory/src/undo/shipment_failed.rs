//! ShipmentFailed → StockReleased

use contracts::ShipmentFailed;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    world.release(event.order_id, out);
}

#[cfg(test)]
mod tests {
    use crate::{
        State,
        support::{
            assert_ignored, assert_releases, assert_repeat_ignored, every_world, shelf,
            shipment_failed, worlds_except,
        },
    };

    #[test]
    fn every_reserved_line_is_released_and_that_is_published() {
        assert_releases(shipment_failed());
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
