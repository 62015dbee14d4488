use std::collections::BTreeMap;

use contracts::OrderId;

use crate::{
    Booking, BookingStatus, Charge, ChargeStatus, Mail, NotificationRow, OrderRow, PaymentRow,
    Refund, RefundStatus, ReservationRow, ShipmentRow, Snapshot,
};

/// All rows and ledger entries about one order.
#[derive(Debug, Default)]
pub(crate) struct Facts<'s> {
    pub(crate) order: Option<&'s OrderRow>,
    pub(crate) reservation: Option<&'s ReservationRow>,
    pub(crate) payment: Option<&'s PaymentRow>,
    pub(crate) shipment: Option<&'s ShipmentRow>,
    pub(crate) notification: Option<&'s NotificationRow>,
    pub(crate) charges: Vec<&'s Charge>,
    pub(crate) refunds: Vec<&'s Refund>,
    pub(crate) bookings: Vec<&'s Booking>,
    pub(crate) mails: Vec<&'s Mail>,
}

pub(crate) type ByOrder<'s> = BTreeMap<OrderId, Facts<'s>>;

impl<'s> Facts<'s> {
    pub(crate) fn captured(&self) -> Vec<&'s Charge> {
        let charges = self.charges.iter().copied();
        charges.filter(|charge| charge.status == ChargeStatus::Captured).collect()
    }

    pub(crate) fn refunded(&self) -> Vec<&'s Refund> {
        let refunds = self.refunds.iter().copied();
        refunds.filter(|refund| refund.status == RefundStatus::Refunded).collect()
    }

    pub(crate) fn booked(&self) -> usize {
        let bookings = self.bookings.iter();
        bookings.filter(|booking| booking.status == BookingStatus::Booked).count()
    }
}

pub(crate) fn by_order(snapshot: &Snapshot) -> ByOrder<'_> {
    let mut facts = ByOrder::new();
    macro_rules! gather {
        ($($rows:expr => $field:ident),*) => {$(
            for row in &$rows {
                facts.entry(row.order_id).or_default().$field = Some(row);
            }
        )*};
    }
    gather!(snapshot.orders => order, snapshot.reservations => reservation,
        snapshot.payments => payment, snapshot.shipments => shipment,
        snapshot.notifications => notification);
    let ledger = &snapshot.ledger;
    for charge in &ledger.charges {
        facts.entry(charge.order_id).or_default().charges.push(charge);
    }
    for refund in &ledger.refunds {
        facts.entry(refund.order_id).or_default().refunds.push(refund);
    }
    for booking in &ledger.bookings {
        facts.entry(booking.order_id).or_default().bookings.push(booking);
    }
    for mail in &ledger.mails {
        if let Some(order) = mail.order() {
            facts.entry(order).or_default().mails.push(mail);
        }
    }
    facts
}
