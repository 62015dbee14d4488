//! Invariant 1: every accepted order ends exactly once, either completed or cancelled.

use contracts::{Milestone, OrderId};

use crate::{
    End, Invariant, OrderRow,
    facts::{ByOrder, Facts},
};

pub(crate) fn check(facts: &ByOrder<'_>, accepted: Option<&[OrderId]>) -> Invariant {
    let mut check = Invariant::new(1, "every accepted order ends exactly once");
    for figure in ["orders", "completed", "cancelled", "open"] {
        check.count(figure, 0);
    }
    for (&id, known) in facts {
        match known.order {
            Some(order) => known_order(&mut check, order, known),
            None => unknown_order(&mut check, id, known),
        }
    }
    for &id in accepted.unwrap_or_default() {
        check.count("accepted", 1);
        let known = facts.get(&id).is_some_and(|known| known.order.is_some());
        check.must(known, id, || "was accepted, and order does not know it".to_owned());
    }
    check
}

fn known_order(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    let id = order.order_id;
    check.count("orders", 1);
    let Some(end) = order.ended else {
        check.count("open", 1);
        let attention = if order.needs_attention { ", it needs attention" } else { "" };
        return check.offends(id, format!("has not ended: it is {}{attention}", order.stage));
    };
    check.must(!order.needs_attention, id, || "has ended and still needs attention".to_owned());
    match end {
        End::Completed => {
            check.count("completed", 1);
            if let Some(cause) = order.cause {
                check.offends(id, format!("is completed, with a cause to cancel it: {cause}"));
            }
        }
        End::Cancelled => {
            check.count("cancelled", 1);
            check.must(order.cause.is_some(), id, || "is cancelled without a cause".to_owned());
        }
    }
    // If an order has ended twice, the row of the notification service may have another end than that of the order.
    let known_end = match known.notification.and_then(|row| row.ended) {
        None => return check.offends(id, format!("is {end}, but notification knows of no end")),
        Some(Milestone::Completed) => Some(End::Completed),
        Some(Milestone::Cancelled) => Some(End::Cancelled),
        Some(Milestone::Placed) => None,
    };
    check.must(known_end == Some(end), id, || {
        format!("is {end}, but notification knows of another end: it ended twice")
    });
}

/// Reports an order that other services or providers know, but the order service does not.
fn unknown_order(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let places = [
        ("inventory", known.reservation.is_some()),
        ("payment", known.payment.is_some()),
        ("shipping", known.shipment.is_some()),
        ("notification", known.notification.is_some()),
        ("the gateway", !(known.charges.is_empty() && known.refunds.is_empty())),
        ("the carrier", !known.bookings.is_empty()),
        ("the mail server", !known.mails.is_empty()),
    ];
    let names = places.iter().filter(|(_, knows)| *knows).map(|(name, _)| *name);
    let names: Vec<&str> = names.collect();
    check.offends(id, format!("is known to {}, but not to order", names.join(", ")));
}

#[cfg(test)]
mod tests {
    use contracts::CancelReason;

    use super::*;
    use crate::fixture::{broken, broken_for, cancelled, completed, order, sound, stranger};

    #[test]
    fn an_order_that_has_not_ended_is_found() {
        let found = broken(1, |snapshot| order(snapshot, completed()).ended = None);
        assert!(found.contains("has not ended"), "{found}");
    }

    #[test]
    fn an_accepted_order_that_the_order_service_has_lost_is_found() {
        let found = broken_for(1, stranger(), |_| {}, &[completed(), cancelled(), stranger()]);
        assert!(found.contains("was accepted"), "{found}");
    }

    #[test]
    fn rows_of_an_unknown_order_are_found() {
        let found = broken_for(
            1,
            stranger(),
            |snapshot| {
                let payment = snapshot.payments[0].clone();
                snapshot.payments.push(crate::PaymentRow { order_id: stranger(), ..payment });
                let mail = snapshot.ledger.mails[0].clone();
                let order_id = Some(stranger().to_string());
                snapshot.ledger.mails.push(crate::Mail { order_id, ..mail });
            },
            &[],
        );
        assert!(found.contains("payment, the mail server"), "{found}");
    }

    #[test]
    fn a_second_end_and_a_contradicting_cause_are_found() {
        let twice =
            broken(1, |snapshot| snapshot.notifications[0].ended = Some(Milestone::Cancelled));
        assert!(twice.contains("ended twice"), "{twice}");
        let missing = broken(1, |snapshot| snapshot.notifications[0].ended = None);
        assert!(missing.contains("knows of no end"), "{missing}");
        let cause = Some(CancelReason::Deadline);
        assert!(
            broken(1, |snapshot| order(snapshot, completed()).cause = cause).contains("deadline")
        );
        let none =
            broken_for(1, cancelled(), |snapshot| order(snapshot, cancelled()).cause = None, &[]);
        assert!(none.contains("without a cause"), "{none}");
        let waits = broken(1, |snapshot| order(snapshot, completed()).needs_attention = true);
        assert!(waits.contains("still needs attention"), "{waits}");
    }

    #[test]
    fn the_figures_count_the_ends() {
        let facts = sound();
        let check = check(&crate::facts::by_order(&facts), Some(&[completed()]));
        let figures = ["accepted", "orders", "completed", "cancelled", "open"];
        assert_eq!(figures.map(|figure| check.figures[figure]), [1, 3, 1, 2, 0]);
    }
}
