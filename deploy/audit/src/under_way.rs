//! What can be judged although some orders are under way: all the others.

use std::collections::BTreeSet;

use contracts::OrderId;

use crate::{
    End, Invariant, MailStatus, Notified, Offence, PaymentState, Report, ReservationState,
    ShipmentState, Snapshot, check,
    facts::{self, Facts},
};

/// What an audit of a suite finds that is not at rest, at a moment at which nothing moved.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderWay {
    /// The orders that wait for something, and for what.
    pub orders: Vec<Offence>,
    /// All invariants but the last, of the other orders and of the stock.
    pub report: Report,
}

/// Checks all that is true of orders that are done with, whatever the others wait for. The snapshot must
/// be of one moment. `accepted` is as for [`audit`](crate::audit).
#[must_use]
pub fn audit_settled(snapshot: &Snapshot, accepted: Option<&[OrderId]>) -> UnderWay {
    let facts = facts::by_order(snapshot);
    let waits = facts.iter().filter_map(|(&id, known)| Some((id, why(known)?)));
    let orders: Vec<Offence> = waits.map(|(id, why)| Offence { subject: id.into(), why }).collect();
    let open: BTreeSet<OrderId> =
        facts.iter().filter(|(_, known)| why(known).is_some()).map(|(&id, _)| id).collect();
    let settled = facts.into_iter().filter(|(id, _)| !open.contains(id)).collect();
    let accepted: Option<Vec<OrderId>> =
        accepted.map(|accepted| accepted.iter().copied().filter(|id| !open.contains(id)).collect());
    let invariants: Vec<Invariant> = vec![
        check::ended::check(&settled, accepted.as_deref()),
        check::completed::check(&settled),
        check::cancelled::check(&settled),
        check::stock::check(snapshot),
        check::ledger::check(&settled),
        check::mails::check(snapshot, &settled),
    ];
    UnderWay { orders, report: Report { invariants } }
}

/// Why an order is under way, if it is: it has not ended, or a service has something left to do for it.
fn why(known: &Facts<'_>) -> Option<String> {
    let unended = known.order.filter(|order| order.ended.is_none());
    let completed = known.order.is_some_and(|order| order.ended == Some(End::Completed));
    let mut waits: Vec<String> = Vec::new();
    if let Some(order) = unended {
        let state = order.cause.map_or_else(
            || format!("it is {}", order.stage),
            |cause| format!("it is being cancelled, {cause}"),
        );
        waits.push(format!("has not ended: {state}"));
        if order.needs_attention {
            waits.push("a person has to look".to_owned());
        }
    }
    if let Some(reservation) = known.reservation {
        let left = completed && reservation.state == ReservationState::Reserved;
        if unended.is_some() || left {
            waits.push(format!("its stock is {}", reservation.state));
        }
    }
    if let Some(payment) = known.payment {
        use PaymentState::{Attention, Charging, ChargingUndo, Refunding};
        let left = matches!(payment.state, Attention | Charging | ChargingUndo | Refunding);
        if unended.is_some() || left {
            waits.push(format!("its payment is {}", payment.state));
        }
    }
    if let Some(shipment) = known.shipment
        && (unended.is_some() || shipment.state == ShipmentState::Booking)
    {
        waits.push(format!("its shipment is {}", shipment.state));
    }
    waits.extend(mail(known, unended.is_none()));
    (!waits.is_empty()).then(|| waits.join(", "))
}

/// What of an order's mails is left to do.
fn mail(known: &Facts<'_>, ended: bool) -> Option<String> {
    let row = known.notification?;
    let sending = [row.placed_mail, row.end_mail].contains(&Some(MailStatus::Sending));
    if sending {
        return Some("a mail is not sent".to_owned());
    }
    let unheard = known.order.is_some() && ended && row.state != Notified::Both;
    unheard.then(|| format!("notification stands at {}", row.state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Depth, Subject, audit,
        fixture::{cancelled, completed, order, sound},
    };

    /// The one order that is under way, and why.
    fn one(snapshot: &Snapshot) -> (Subject, String) {
        let found = audit_settled(snapshot, Some(&[completed(), cancelled()]));
        assert!(found.report.holds(), "{}", found.report);
        assert_eq!(found.report.invariants.len(), 6);
        let [Offence { subject, why }] = &found.orders[..] else { panic!("{found:?}") };
        (subject.clone(), why.clone())
    }

    #[test]
    fn at_rest_nothing_is_under_way() {
        let found = audit_settled(&sound(), None);
        assert_eq!(found.orders, []);
        let all = audit(&sound(), None);
        assert_eq!(found.report.invariants[..], all.invariants[..6]);
    }

    #[test]
    fn an_order_that_waits_is_named_and_the_others_are_judged() {
        let mut it = sound();
        order(&mut it, completed()).ended = None;
        order(&mut it, completed()).needs_attention = true;
        it.payments[0].state = PaymentState::Charging;
        it.ledger.charges.retain(|charge| charge.order_id != completed());
        it.status.entry("order".into()).and_modify(|order| order.alarms = Depth { depth: 1 });
        let (subject, why) = one(&it);
        assert_eq!(subject, completed().into());
        assert_eq!(
            why,
            "has not ended: it is paid, a person has to look, its stock is shipped, its payment is \
             charging, its shipment is dispatched"
        );
    }

    #[test]
    fn what_is_left_to_do_after_the_end_is_under_way_too() {
        let mut it = sound();
        it.notifications[0].end_mail = Some(MailStatus::Sending);
        it.ledger.mails.remove(1);
        assert_eq!(one(&it), (completed().into(), "a mail is not sent".to_owned()));
        let mut it = sound();
        it.notifications[0].state = Notified::HasAddress;
        assert_eq!(one(&it).1, "notification stands at has_address");
        let mut it = sound();
        let refund = it.ledger.refunds.pop();
        assert!(refund.is_some());
        let payment = it.payments.iter_mut().find(|row| row.order_id == cancelled());
        payment.expect("it is there").state = PaymentState::Attention;
        assert_eq!(one(&it), (cancelled().into(), "its payment is attention".to_owned()));
    }

    #[test]
    fn what_is_wrong_with_the_others_is_found() {
        let mut it = sound();
        order(&mut it, completed()).ended = None;
        it.ledger.refunds.clear();
        it.products[0].stocked += 1;
        let found = audit_settled(&it, None);
        let broken: Vec<u8> =
            found.report.invariants.iter().filter(|it| !it.holds).map(|it| it.number).collect();
        assert_eq!(broken, [3, 4, 5], "{}", found.report);
    }
}
