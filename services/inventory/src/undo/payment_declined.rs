//! PaymentDeclined → StockReleased

use contracts::PaymentDeclined;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentDeclined, out: &mut Out) {
    world.release(event.order_id, out);
}

#[cfg(test)]
mod tests {
    use crate::{
        State,
        support::{
            assert_ignored, assert_releases, assert_repeat_ignored, ending, every_world,
            payment_declined, placed, released, shelf, shipment_voided, worlds_except,
        },
    };

    #[test]
    fn every_reserved_line_is_released_and_that_is_published() {
        assert_releases(payment_declined());
    }

    #[test]
    fn an_unknown_order_stays_unknown() {
        assert_ignored(&shelf(), payment_declined());
    }

    #[test]
    fn in_every_state_but_reserved_nothing_happens() {
        for world in worlds_except(&[State::Reserved]) {
            assert_ignored(&world, payment_declined());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), payment_declined);
    }

    #[test]
    fn the_stock_is_released_once_whether_the_decline_or_the_void_comes_first() {
        let declined_first = ending([placed(), payment_declined(), shipment_voided()]);
        assert_eq!(declined_first.followed.events[1..], released().events);
        assert!(declined_first.rows.products.iter().all(|product| product.reserved == 0));
        assert_eq!(ending([placed(), shipment_voided(), payment_declined()]), declined_first);
    }
}
