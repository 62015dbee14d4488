//! Invariant 3: for a cancelled order, what was captured is refunded exactly once, nothing is reserved and nothing is
//! shipped.

use crate::{
    End, Invariant, OrderRow, PaymentState, ReservationState, ShipmentState,
    facts::{ByOrder, Facts},
};

pub(crate) fn check(facts: &ByOrder<'_>) -> Invariant {
    let mut check = Invariant::new(3, "cancelled: nothing kept, nothing reserved, nothing shipped");
    for figure in ["orders", "charges", "refunds"] {
        check.count(figure, 0);
    }
    for known in facts.values() {
        if let Some(order) = known.order.filter(|order| order.ended == Some(End::Cancelled)) {
            check.count("orders", 1);
            money(&mut check, order, known);
            stock(&mut check, order, known);
            parcel(&mut check, order, known);
        }
    }
    check
}

fn money(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    use PaymentState::{Closed, Declined, Refunded, Voided};
    let id = order.order_id;
    match known.payment.map(|payment| payment.state) {
        Some(Declined | Refunded | Voided | Closed) => {}
        Some(state) => check.offends(id, format!("is cancelled, its payment is {state}")),
        None => check.offends(id, "is cancelled, payment does not know it"),
    }
    let mut charged: Vec<_> =
        known.captured().iter().map(|charge| (charge.amount_minor, charge.currency)).collect();
    let mut refunded: Vec<_> =
        known.refunded().iter().map(|refund| (refund.amount_minor, refund.currency)).collect();
    check.count("charges", i64::try_from(charged.len()).unwrap_or(i64::MAX));
    check.count("refunds", i64::try_from(refunded.len()).unwrap_or(i64::MAX));
    charged.sort_unstable();
    refunded.sort_unstable();
    if charged.len() == refunded.len() {
        check.must(charged == refunded, id, || {
            "is cancelled, and another amount was given back than was charged".to_owned()
        });
    } else {
        let (charge_count, refund_count) = (charged.len(), refunded.len());
        let why = format!(
            "is cancelled, was charged {charge_count} times and refunded {refund_count} times"
        );
        check.offends(id, why);
    }
}

fn stock(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    use ReservationState::{Rejected, Released, Tombstone};
    match known.reservation.map(|reservation| reservation.state) {
        None | Some(Rejected | Released | Tombstone) => {}
        Some(state) => {
            check.offends(order.order_id, format!("is cancelled, its stock is {state}"));
        }
    }
}

fn parcel(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    use ShipmentState::{Closed, Failed, Voided};
    let id = order.order_id;
    match known.shipment.map(|shipment| shipment.state) {
        Some(Failed | Voided | Closed) => {}
        Some(state) => check.offends(id, format!("is cancelled, its shipment is {state}")),
        None => check.offends(id, "is cancelled, shipping does not know it"),
    }
    check.must(known.booked() == 0, id, || "is cancelled, and was shipped".to_owned());
}

#[cfg(test)]
mod tests {
    use contracts::OrderId;

    use crate::{
        BookingStatus, PaymentState, RefundStatus, ReservationState, ShipmentState, Snapshot,
        fixture::{broken_for, cancelled},
    };

    fn broken(change: impl FnOnce(&mut Snapshot)) -> String {
        broken_for(3, cancelled(), change, &[])
    }

    fn position(ids: impl Iterator<Item = OrderId>) -> usize {
        ids.into_iter().position(|id| id == cancelled()).expect("a row of the cancelled order")
    }

    #[test]
    fn money_that_was_not_refunded_is_found() {
        let missing = broken(|snapshot| snapshot.ledger.refunds.clear());
        assert!(missing.contains("charged 1 times and refunded 0"), "{missing}");
        let refused = broken(|snapshot| snapshot.ledger.refunds[0].status = RefundStatus::Refused);
        assert!(refused.contains("refunded 0"), "{refused}");
        let less = broken(|snapshot| snapshot.ledger.refunds[0].amount_minor -= 1);
        assert!(less.contains("another amount"), "{less}");
    }

    #[test]
    fn a_second_refund_is_found() {
        let found = broken(|snapshot| {
            let refund = snapshot.ledger.refunds[0].clone();
            snapshot.ledger.refunds.push(refund);
        });
        assert!(found.contains("refunded 2 times"), "{found}");
    }

    #[test]
    fn a_payment_that_is_not_settled_is_found() {
        for state in [PaymentState::Attention, PaymentState::Captured, PaymentState::HasGo] {
            let found = broken(|snapshot| {
                let nth = position(snapshot.payments.iter().map(|row| row.order_id));
                snapshot.payments[nth].state = state;
            });
            assert!(found.contains(&format!("payment is {state}")), "{found}");
        }
        let none = broken(|snapshot| snapshot.payments.retain(|row| row.order_id != cancelled()));
        assert!(none.contains("payment does not know"), "{none}");
    }

    #[test]
    fn stock_that_is_still_reserved_or_shipped_is_found() {
        for state in [ReservationState::Reserved, ReservationState::Shipped] {
            let found = broken(|snapshot| {
                let nth = position(snapshot.reservations.iter().map(|row| row.order_id));
                snapshot.reservations[nth].state = state;
            });
            assert!(found.contains(&format!("stock is {state}")), "{found}");
        }
    }

    #[test]
    fn a_parcel_that_was_or_may_be_shipped_is_found() {
        let booked = broken(|snapshot| {
            let nth = position(snapshot.ledger.bookings.iter().map(|row| row.order_id));
            snapshot.ledger.bookings[nth].status = BookingStatus::Booked;
        });
        assert!(booked.contains("was shipped"), "{booked}");
        let waits = broken(|snapshot| {
            let nth = position(snapshot.shipments.iter().map(|row| row.order_id));
            snapshot.shipments[nth].state = ShipmentState::HasAddress;
        });
        assert!(waits.contains("shipment is has_address"), "{waits}");
        let none = broken(|snapshot| snapshot.shipments.retain(|row| row.order_id != cancelled()));
        assert!(none.contains("shipping does not know"), "{none}");
    }
}
