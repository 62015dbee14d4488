//! An audit while some orders are under way: it checks all others.

use std::collections::BTreeSet;

use contracts::OrderId;

use crate::{
    End, Invariant, MailStatus, Notified, Offence, PaymentState, Report, ReservationState,
    ShipmentState, Snapshot, check,
    facts::{self, Facts},
};

/// The result of an audit of a suite that is not at rest, taken at a moment at which nothing changed.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderWay {
    /// The orders that are under way, and what they wait for.
    pub orders: Vec<Offence>,
    /// The results of all invariants but the last, for the other orders and for the stock.
    pub report: Report,
}

/// Checks the orders that are not under way, whatever the others wait for. The snapshot must be of one moment.
/// `accepted` is as for [`audit`](crate::audit).
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

/// Why an order is under way, if it is: it has not ended, or a service still has something to do for it.
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

/// What is left to do for an order's mails.
fn mail(known: &Facts<'_>, ended: bool) -> Option<String> {
    let row = known.notification?;
    let sending = [row.placed_mail, row.end_mail].contains(&Some(MailStatus::Sending));
    if sending {
        return Some("a mail is not sent".to_owned());
    }
    let is_behind = known.order.is_some() && ended && row.state != Notified::Both;
    is_behind.then(|| format!("notification stands at {}", row.state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Depth, Subject, audit,
        fixture::{cancelled, completed, order, sound},
    };

    /// The only order that is under way, and why.
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
    fn an_order_under_way_is_named_and_the_others_are_checked() {
        let mut snapshot = sound();
        order(&mut snapshot, completed()).ended = None;
        order(&mut snapshot, completed()).needs_attention = true;
        snapshot.payments[0].state = PaymentState::Charging;
        snapshot.ledger.charges.retain(|charge| charge.order_id != completed());
        snapshot.status.entry("order".into()).and_modify(|order| order.alarms = Depth { depth: 1 });
        let (subject, why) = one(&snapshot);
        assert_eq!(subject, completed().into());
        assert_eq!(
            why,
            "has not ended: it is paid, a person has to look, its stock is shipped, its payment is \
             charging, its shipment is dispatched"
        );
    }

    #[test]
    fn an_order_with_work_left_after_its_end_is_under_way_too() {
        let mut snapshot = sound();
        snapshot.notifications[0].end_mail = Some(MailStatus::Sending);
        snapshot.ledger.mails.remove(1);
        assert_eq!(one(&snapshot), (completed().into(), "a mail is not sent".to_owned()));
        let mut snapshot = sound();
        snapshot.notifications[0].state = Notified::HasAddress;
        assert_eq!(one(&snapshot).1, "notification stands at has_address");
        let mut snapshot = sound();
        let refund = snapshot.ledger.refunds.pop();
        assert!(refund.is_some());
        let payment = snapshot.payments.iter_mut().find(|row| row.order_id == cancelled());
        payment.expect("a payment of the cancelled order").state = PaymentState::Attention;
        assert_eq!(one(&snapshot), (cancelled().into(), "its payment is attention".to_owned()));
    }

    #[test]
    fn violations_of_the_others_are_found() {
        let mut snapshot = sound();
        order(&mut snapshot, completed()).ended = None;
        snapshot.ledger.refunds.clear();
        snapshot.products[0].stocked += 1;
        let found = audit_settled(&snapshot, None);
        let broken: Vec<u8> = found
            .report
            .invariants
            .iter()
            .filter(|invariant| !invariant.holds)
            .map(|invariant| invariant.number)
            .collect();
        assert_eq!(broken, [3, 4, 5], "{}", found.report);
    }
}
