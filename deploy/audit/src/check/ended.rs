//! Invariant 1: Every accepted order ends exactly once, completed xor cancelled.

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
            Some(order) => one(&mut check, order, known),
            None => strange(&mut check, id, known),
        }
    }
    for &id in accepted.unwrap_or_default() {
        check.count("accepted", 1);
        let known = facts.get(&id).is_some_and(|known| known.order.is_some());
        check.must(known, id, || "was accepted, and order does not know it".to_owned());
    }
    check
}

fn one(check: &mut Invariant, order: &OrderRow, known: &Facts<'_>) {
    let id = order.order_id;
    check.count("orders", 1);
    let Some(end) = order.ended else {
        check.count("open", 1);
        let asked = if order.needs_attention { ", it needs attention" } else { "" };
        return check.offends(id, format!("has not ended: it is {}{asked}", order.stage));
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
    let told = known.notification.and_then(|row| row.ended);
    let heard = match told {
        None => return check.offends(id, format!("is {end}, and notification was not told")),
        Some(Milestone::Completed) => Some(End::Completed),
        Some(Milestone::Cancelled) => Some(End::Cancelled),
        Some(Milestone::Placed) => None,
    };
    check.must(heard == Some(end), id, || {
        format!("is {end}, and notification was told otherwise: it ended twice")
    });
}

/// Somebody acted for an order that was never taken.
fn strange(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let seen = [
        ("inventory", known.reservation.is_some()),
        ("payment", known.payment.is_some()),
        ("shipping", known.shipment.is_some()),
        ("notification", known.notification.is_some()),
        ("the gateway", !(known.charges.is_empty() && known.refunds.is_empty())),
        ("the carrier", !known.bookings.is_empty()),
        ("the mail server", !known.mails.is_empty()),
    ];
    let seen: Vec<&str> = seen.iter().filter(|(_, seen)| *seen).map(|(name, _)| *name).collect();
    check.offends(id, format!("is known to {}, but not to order", seen.join(", ")));
}

#[cfg(test)]
mod tests {
    use contracts::CancelReason;

    use super::*;
    use crate::fixture::{broken, broken_for, cancelled, completed, order, sound, stranger};

    #[test]
    fn an_order_that_has_not_ended_is_found() {
        let found = broken(1, |it| order(it, completed()).ended = None);
        assert!(found.contains("has not ended"), "{found}");
    }

    #[test]
    fn an_accepted_order_that_order_has_lost_is_found() {
        let found = broken_for(1, stranger(), |_| {}, &[completed(), cancelled(), stranger()]);
        assert!(found.contains("was accepted"), "{found}");
    }

    #[test]
    fn rows_of_an_unknown_order_are_found() {
        let found = broken_for(
            1,
            stranger(),
            |it| {
                let payment = it.payments[0].clone();
                it.payments.push(crate::PaymentRow { order_id: stranger(), ..payment });
                let mail = it.ledger.mails[0].clone();
                let order_id = Some(stranger().to_string());
                it.ledger.mails.push(crate::Mail { order_id, ..mail });
            },
            &[],
        );
        assert!(found.contains("payment, the mail server"), "{found}");
    }

    #[test]
    fn a_second_end_and_a_strange_cause_are_found() {
        let twice = broken(1, |it| it.notifications[0].ended = Some(Milestone::Cancelled));
        assert!(twice.contains("ended twice"), "{twice}");
        let untold = broken(1, |it| it.notifications[0].ended = None);
        assert!(untold.contains("not told"), "{untold}");
        let cause = Some(CancelReason::Deadline);
        assert!(broken(1, |it| order(it, completed()).cause = cause).contains("deadline"));
        let none = broken_for(1, cancelled(), |it| order(it, cancelled()).cause = None, &[]);
        assert!(none.contains("without a cause"), "{none}");
        let waits = broken(1, |it| order(it, completed()).needs_attention = true);
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
