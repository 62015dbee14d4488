//! Invariant 5: the providers' ledger agrees with the services: one capture per captured payment, one refund per
//! refunded payment, and no entry that payment or shipping does not know of.

use contracts::OrderId;

use crate::{
    Invariant, PaymentState, ShipmentState,
    facts::{ByOrder, Facts},
};

pub(crate) fn check(facts: &ByOrder<'_>) -> Invariant {
    let mut check = Invariant::new(5, "the providers' ledger agrees");
    for figure in ["captures", "declines", "refunds", "refused refunds", "bookings"] {
        check.count(figure, 0);
    }
    for (&id, known) in facts {
        charges(&mut check, id, known);
        refunds(&mut check, id, known);
        bookings(&mut check, id, known);
    }
    check
}

fn charges(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    use PaymentState::{Attention, Captured, Declined, Refunded, Refunding};
    let captured = known.captured();
    let declined = known.charges.len() - captured.len();
    count(check, "captures", captured.len());
    count(check, "declines", declined);
    let state = known.payment.map(|payment| payment.state);
    let is_captured = matches!(state, Some(Captured | Refunding | Refunded | Attention));
    check.must(captured.len() == usize::from(is_captured), id, || {
        format!("payment says {}, the gateway has {} captures", said(state), captured.len())
    });
    let reported = state == Some(Declined)
        && known.payment.is_some_and(|payment| never_arrived(payment.reason.as_deref()));
    check.must(declined == usize::from(state == Some(Declined) && !reported), id, || {
        format!("payment says {}, the gateway has {declined} declined charges", said(state))
    });
    let Some(payment) = known.payment.filter(|_| is_captured) else { return };
    check.must(payment.charge.is_some(), id, || {
        format!("payment says {} without the gateway's reference", payment.state)
    });
    for charge in captured {
        check.must(payment.amount() == Some(charge.amount()), id, || {
            format!("the gateway captured {}, payment says otherwise", charge.amount())
        });
    }
}

fn refunds(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let refunded = known.refunded();
    count(check, "refunds", refunded.len());
    count(check, "refused refunds", known.refunds.len() - refunded.len());
    let state = known.payment.map(|payment| payment.state);
    let is_refunded = state == Some(PaymentState::Refunded);
    check.must(refunded.len() == usize::from(is_refunded), id, || {
        format!("payment says {}, the gateway has {} refunds", said(state), refunded.len())
    });
    let Some(payment) = known.payment.filter(|_| is_refunded) else { return };
    check.must(payment.refund.is_some(), id, || {
        "payment says refunded without the gateway's reference".to_owned()
    });
    for refund in refunded {
        check.must(payment.amount() == Some(refund.amount()), id, || {
            format!("the gateway refunded {}, payment says otherwise", refund.amount())
        });
    }
}

fn bookings(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let booked = known.booked();
    let refused = known.bookings.len() - booked;
    count(check, "bookings", booked);
    let state = known.shipment.map(|shipment| shipment.state);
    let said = state.map_or_else(|| "nothing".to_owned(), |state| state.to_string());
    check.must(booked == usize::from(state == Some(ShipmentState::Dispatched)), id, || {
        format!("shipping says {said}, the carrier has {booked} parcels")
    });
    let failed = state == Some(ShipmentState::Failed);
    let reported = known.shipment.is_some_and(|shipment| never_arrived(shipment.reason.as_deref()));
    check.must(refused == usize::from(failed && !reported), id, || {
        format!("shipping says {said}, the carrier refused {refused} times")
    });
}

/// Whether an operator has reported that the request never arrived: then the provider has no entry of it.
fn never_arrived(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| reason.starts_with("never arrived"))
}

fn said(state: Option<PaymentState>) -> String {
    state.map_or_else(|| "nothing".to_owned(), |state| state.to_string())
}

fn count(check: &mut Invariant, figure: &'static str, more: usize) {
    check.count(figure, i64::try_from(more).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use crate::{
        Booking, BookingStatus, Charge, ChargeStatus, PaymentState, Snapshot,
        fixture::{broken, broken_for, cancelled, completed, rejected},
    };

    fn of(snapshot: &mut Snapshot, id: contracts::OrderId) -> &mut crate::PaymentRow {
        snapshot.payments.iter_mut().find(|row| row.order_id == id).expect("it is there")
    }

    #[test]
    fn a_capture_unknown_to_payment_is_found() {
        let found = broken_for(
            5,
            rejected(),
            |snapshot| {
                let charge = snapshot.ledger.charges[0].clone();
                snapshot.ledger.charges.push(Charge { order_id: rejected(), ..charge });
            },
            &[],
        );
        assert!(found.contains("payment says closed, the gateway has 1 captures"), "{found}");
    }

    #[test]
    fn a_capture_or_decline_unknown_to_the_gateway_is_found() {
        let none = broken(5, |snapshot| {
            snapshot.ledger.charges.retain(|entry| entry.order_id != completed());
        });
        assert!(none.contains("the gateway has 0 captures"), "{none}");
        let declined = broken_for(
            5,
            rejected(),
            |snapshot| of(snapshot, rejected()).state = PaymentState::Declined,
            &[],
        );
        assert!(declined.contains("0 declined charges"), "{declined}");
        let mismatch =
            broken(5, |snapshot| snapshot.ledger.charges[0].status = ChargeStatus::Declined);
        assert!(mismatch.contains("1 declined charges"), "{mismatch}");
    }

    #[test]
    fn refunds_that_do_not_agree_are_found() {
        let none = broken_for(5, cancelled(), |snapshot| snapshot.ledger.refunds.clear(), &[]);
        assert!(none.contains("payment says refunded, the gateway has 0 refunds"), "{none}");
        let twice = broken_for(
            5,
            cancelled(),
            |snapshot| snapshot.ledger.refunds.push(snapshot.ledger.refunds[0].clone()),
            &[],
        );
        assert!(twice.contains("the gateway has 2 refunds"), "{twice}");
        let more = broken_for(
            5,
            cancelled(),
            |snapshot| snapshot.ledger.refunds[0].amount_minor += 1,
            &[],
        );
        assert!(more.contains("payment says otherwise"), "{more}");
    }

    #[test]
    fn another_amount_and_a_missing_reference_are_found() {
        assert!(
            broken(5, |snapshot| of(snapshot, completed()).amount_minor = Some(1))
                .contains("otherwise")
        );
        assert!(
            broken(5, |snapshot| of(snapshot, completed()).charge = None).contains("reference")
        );
        let refund =
            broken_for(5, cancelled(), |snapshot| of(snapshot, cancelled()).refund = None, &[]);
        assert!(refund.contains("reference"), "{refund}");
    }

    #[test]
    fn parcels_that_do_not_agree_are_found() {
        let none = broken(5, |snapshot| {
            snapshot.ledger.bookings.retain(|entry| entry.order_id != completed());
        });
        assert!(none.contains("shipping says dispatched, the carrier has 0 parcels"), "{none}");
        let strange = broken_for(
            5,
            rejected(),
            |snapshot| {
                let booking = snapshot.ledger.bookings[0].clone();
                snapshot.ledger.bookings.push(Booking { order_id: rejected(), ..booking });
            },
            &[],
        );
        assert!(strange.contains("shipping says closed"), "{strange}");
        let refused =
            broken(5, |snapshot| snapshot.ledger.bookings[0].status = BookingStatus::Refused);
        assert!(refused.contains("refused 1 times"), "{refused}");
    }

    #[test]
    fn a_request_reported_as_never_arrived_needs_no_entry() {
        let declined = |reason: &str| {
            let reason = Some(reason.to_owned());
            broken_for(
                5,
                rejected(),
                |snapshot| {
                    let row = of(snapshot, rejected());
                    (row.state, row.reason) = (PaymentState::Declined, reason);
                },
                &[],
            )
        };
        assert!(declined("card_declined").contains("the gateway has 0 declined charges"));
        let mut snapshot = crate::fixture::sound();
        let row = of(&mut snapshot, rejected());
        (row.state, row.reason) =
            (PaymentState::Declined, Some("never arrived: barred".to_owned()));
        let report = crate::audit(&snapshot, None);
        assert!(
            report.invariants.iter().any(|invariant| invariant.number == 5 && invariant.holds),
            "{report:?}"
        );
    }
}
