//! Invariant 2: a completed order is captured once, never refunded and shipped once, and its stock has left the shelf
//! once.

use std::collections::BTreeMap;

use contracts::Sku;

use crate::{
    End, Invariant, OrderRow, PaymentState, ReservationState, ShipmentState,
    facts::{ByOrder, Facts},
};

pub(crate) fn check(facts: &ByOrder<'_>) -> Invariant {
    let mut check = Invariant::new(2, "completed: captured once, shipped once, never refunded");
    for figure in ["orders", "charges", "bookings"] {
        check.count(figure, 0);
    }
    for known in facts.values() {
        if let Some(order) = known.order.filter(|order| order.ended == Some(End::Completed)) {
            check.count("orders", 1);
            money(&mut check, order, known);
            parcel(&mut check, order, known);
        }
    }
    check
}

fn money(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    let id = order.order_id;
    match known.payment.map(|payment| payment.state) {
        Some(PaymentState::Captured) => {}
        Some(state) => check.offends(id, format!("is completed, its payment is {state}")),
        None => check.offends(id, "is completed, payment does not know it"),
    }
    let charges = known.captured();
    check.count("charges", i64::try_from(charges.len()).unwrap_or(i64::MAX));
    match charges[..] {
        [charge] => check.must(charge.amount() == order.total(), id, || {
            format!("costs {}, and {} was charged", order.total(), charge.amount())
        }),
        [] => check.offends(id, "is completed, and nothing was charged"),
        _ => check.offends(id, format!("was charged {} times", charges.len())),
    }
    let refunds = known.refunded().len();
    check.must(refunds == 0, id, || "is completed, and its money was given back".to_owned());
}

fn parcel(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    let id = order.order_id;
    match known.shipment.map(|shipment| shipment.state) {
        Some(ShipmentState::Dispatched) => {}
        Some(state) => check.offends(id, format!("is completed, its shipment is {state}")),
        None => check.offends(id, "is completed, shipping does not know it"),
    }
    let booked = known.booked();
    check.count("bookings", i64::try_from(booked).unwrap_or(i64::MAX));
    check.must(booked == 1, id, || format!("is completed, and was booked {booked} times"));
    let Some(reservation) = known.reservation else {
        return check.offends(id, "is completed, inventory does not know it");
    };
    check.must(reservation.state == ReservationState::Shipped, id, || {
        format!("is completed, its stock is {}", reservation.state)
    });
    let ordered: BTreeMap<&Sku, i64> =
        order.items.iter().map(|line| (&line.sku, line.quantity)).collect();
    let shipped: BTreeMap<&Sku, i64> =
        reservation.items.iter().map(|item| (&item.sku, item.quantity)).collect();
    check.must(ordered == shipped, id, || "did not ship what was ordered".to_owned());
}

#[cfg(test)]
mod tests {
    use crate::{
        BookingStatus, Charge, PaymentState, Refund, RefundStatus, ReservationState, ShipmentState,
        fixture::{broken, completed},
    };

    #[test]
    fn money_that_was_not_captured_once_is_found() {
        let none = broken(2, |snapshot| {
            snapshot.ledger.charges.retain(|charge| charge.order_id != completed());
        });
        assert!(none.contains("nothing was charged"), "{none}");
        let twice = broken(2, |snapshot| {
            let charge = snapshot.ledger.charges[0].clone();
            let idempotency_key = "another".to_owned();
            snapshot.ledger.charges.push(Charge { idempotency_key, ..charge });
        });
        assert!(twice.contains("charged 2 times"), "{twice}");
        let other = broken(2, |snapshot| snapshot.ledger.charges[0].amount_minor += 1);
        assert!(other.contains("was charged"), "{other}");
    }

    #[test]
    fn a_refund_is_found() {
        let found = broken(2, |snapshot| {
            let Charge { order_id, amount_minor, currency, .. } = snapshot.ledger.charges[0];
            snapshot.ledger.refunds.push(Refund {
                order_id,
                idempotency_key: "r".to_owned(),
                amount_minor,
                currency,
                status: RefundStatus::Refunded,
                requests: 1,
            });
        });
        assert!(found.contains("given back"), "{found}");
    }

    #[test]
    fn a_payment_shipment_or_reservation_in_another_state_is_found() {
        let payment = broken(2, |snapshot| snapshot.payments[0].state = PaymentState::Refunded);
        assert!(payment.contains("payment is refunded"), "{payment}");
        let shipment = broken(2, |snapshot| snapshot.shipments[0].state = ShipmentState::Voided);
        assert!(shipment.contains("shipment is voided"), "{shipment}");
        let stock =
            broken(2, |snapshot| snapshot.reservations[0].state = ReservationState::Released);
        assert!(stock.contains("stock is released"), "{stock}");
    }

    #[test]
    fn a_missing_row_is_found() {
        assert!(
            broken(2, |snapshot| snapshot.payments.remove(0)).contains("payment does not know")
        );
        assert!(
            broken(2, |snapshot| snapshot.shipments.remove(0)).contains("shipping does not know")
        );
        assert!(
            broken(2, |snapshot| snapshot.reservations.remove(0)).contains("inventory does not")
        );
    }

    #[test]
    fn a_parcel_that_was_not_shipped_once_and_as_ordered_is_found() {
        let refused =
            broken(2, |snapshot| snapshot.ledger.bookings[0].status = BookingStatus::Refused);
        assert!(refused.contains("booked 0 times"), "{refused}");
        let twice = broken(2, |snapshot| {
            let booking = snapshot.ledger.bookings[0].clone();
            snapshot.ledger.bookings.push(booking);
        });
        assert!(twice.contains("booked 2 times"), "{twice}");
        let less = broken(2, |snapshot| snapshot.reservations[0].items[0].quantity -= 1);
        assert!(less.contains("did not ship what was ordered"), "{less}");
    }
}
