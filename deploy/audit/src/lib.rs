//! The auditor checks the seven invariants of a suite from the rows of all services and the ledger of the outside
//! world.
//!
//! [`audit`] is a pure function over a [`Snapshot`]; running suites, tests and simulations all use it. It shares no
//! types with the services, so that it cannot share their bugs. It is for a suite at rest: while orders are under
//! way, an event that has not arrived yet counts as a violation. [`audit_settled`] leaves those orders out and
//! names them.
//!
//! [`collect`] takes a snapshot of a running suite.

mod check;
mod collect;
mod facts;
mod report;
mod rows;
mod snapshot;
mod under_way;

#[cfg(test)]
mod fixture;

use contracts::OrderId;

pub use collect::{Addresses, AdminUrl, CollectError, PublicUrl, collect};
pub use report::{Invariant, Offence, Report, Subject};
pub use rows::{
    End, Line, MailStatus, NotificationRow, Notified, OrderRow, PaymentRow, PaymentState,
    ProductRow, ReservationRow, ReservationState, Row, ShipmentRow, ShipmentState, Stage,
};
pub use snapshot::{
    Booking, BookingStatus, Charge, ChargeStatus, Depth, Ledger, Mail, Refund, RefundStatus,
    SERVICES, Snapshot, Status,
};
pub use under_way::{UnderWay, audit_settled};

/// Checks all invariants. `accepted` are the orders that the caller placed and that were answered with 202.
#[must_use]
pub fn audit(snapshot: &Snapshot, accepted: Option<&[OrderId]>) -> Report {
    let facts = facts::by_order(snapshot);
    Report {
        invariants: vec![
            check::ended::check(&facts, accepted),
            check::completed::check(&facts),
            check::cancelled::check(&facts),
            check::stock::check(snapshot),
            check::ledger::check(&facts),
            check::mails::check(snapshot, &facts),
            check::rest::check(snapshot),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fixture::{SKU, cancelled, completed, rejected, sound};

    #[test]
    fn a_sound_snapshot_holds() {
        let orders = [completed(), cancelled(), rejected()];
        let report = audit(&sound(), Some(&orders));
        assert!(report.holds(), "{report}");
        let numbers: Vec<u8> = report.invariants.iter().map(|invariant| invariant.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn the_invariants_hold_for_five_services_without_orders() {
        let empty = Snapshot { status: sound().status, ..Snapshot::default() };
        assert!(audit(&empty, None).holds());
    }

    #[test]
    fn offences_are_listed_up_to_a_bound_and_counted_beyond() {
        let strangers: Vec<OrderId> =
            (0..25_u128).map(|nth| uuid::Uuid::from_u128(nth).into()).collect();
        let report = audit(&sound(), Some(&strangers));
        let ended = &report.invariants[0];
        assert_eq!((ended.offences.len(), ended.unlisted), (20, 5));
        assert!(report.to_string().contains("and 5 more"), "{report}");
    }

    #[test]
    fn a_report_reads_as_json_and_as_text() {
        let mut broken = sound();
        broken.orders[0].ended = None;
        let report = audit(&broken, None);
        let json = serde_json::to_value(&report).expect("a report serialises");
        let ended = &json["invariants"][0];
        assert_eq!(ended["holds"], false);
        assert_eq!(ended["figures"]["open"], 1);
        assert_eq!(ended["offences"][0]["order"], completed().to_string());
        assert!(report.to_string().contains("1 BROKEN every accepted order"), "{report}");
    }

    #[test]
    fn rows_are_read_as_the_services_list_them() {
        let rows = r#"[
          {"cause":null,"currency":"EUR","ended":"completed","items":[{"quantity":1,"sku":"mug",
           "unit_price":{"amount_minor":1298,"currency":"EUR"}}],"money_settled":false,
           "needs_attention":false,"order_id":"01a1fde8-c42a-73f5-96da-6e816ab97e8a",
           "placed_at":"2026-11-21T11:40:52.6504Z","requested":null,"stage":"paid",
           "stock_settled":false,"table":"orders","total_minor":1298,"trace_id":null},
          {"amount_minor":1298,"charge":"ch_8","currency":"EUR","reason":null,"refund":null,
           "order_id":"01a1fde8-c42a-73f5-96da-6e816ab97e8a","refund_attempts":0,
           "state":"charging_undo","table":"payment"}]"#;
        let rows: Vec<Row> = serde_json::from_str(rows).expect("rows");
        let mut snapshot = Snapshot::default();
        for row in rows {
            snapshot.add(row);
        }
        assert_eq!(snapshot.orders[0].ended, Some(End::Completed));
        assert_eq!(snapshot.payments[0].state, PaymentState::ChargingUndo);
    }

    #[test]
    fn a_part_has_only_what_belongs_to_its_orders_and_products() {
        let whole = sound();
        let skus = BTreeSet::from([SKU.parse().expect("a SKU")]);
        assert_eq!(whole.of(&BTreeSet::new(), &skus), whole);
        let part = whole.of(&BTreeSet::from([rejected()]), &BTreeSet::new());
        assert_eq!(part.orders.len(), 1);
        assert_eq!((part.products.len(), part.ledger.charges.len()), (0, 0));
        assert_eq!(part.ledger.mails.len(), 2);
        let report = audit(&part, Some(&[rejected()]));
        assert!(report.holds(), "{report}");
    }
}
