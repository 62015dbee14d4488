//! A snapshot of the programs that answer, and the invariants that can be judged by it.

use super::Auditor;
use crate::names;
use audit::{Row, SERVICES, Snapshot, UnderWay};
use contracts::OrderId;
use quintet_suite::Component;
use quintet_suite::rest::answers;
use std::collections::BTreeMap;

/// A snapshot of one moment, without the rows of programs that do not answer.
#[derive(Debug, Default)]
pub(crate) struct PartialSnapshot {
    snapshot: Snapshot,
    /// The programs that do not answer, and why.
    pub(crate) silent: BTreeMap<Component, String>,
}

impl PartialSnapshot {
    /// Audits the orders that are settled, by the invariants that need no rows of a silent program. `None` if there is neither
    /// such an invariant nor an order under way.
    pub(crate) fn audit_settled(&self, accepted: Option<&[OrderId]>) -> Option<UnderWay> {
        let mut settled = audit::audit_settled(&self.snapshot, accepted);
        let answers = |name: &&str| !self.silent.keys().any(|silent| silent == *name);
        let invariants = &mut settled.report.invariants;
        invariants.retain(|invariant| needed_for(invariant.number).iter().all(answers));
        (!invariants.is_empty() || !settled.orders.is_empty()).then_some(settled)
    }
}

/// The programs whose rows an invariant needs. Most need order, because only order knows which orders are under way.
const fn needed_for(invariant: u8) -> &'static [&'static str] {
    match invariant {
        1 => &["order", "notification"],
        4 => &["inventory"],
        6 => &["order", "notification", "sandbox"],
        _ => &["order", "inventory", "payment", "shipping", "notification", "sandbox"],
    }
}

impl Auditor {
    /// Collects the rows of the programs that answer. `None` if the status of a service changed meanwhile: the rows may then
    /// be of different moments, and an order between them would look lost.
    pub(super) async fn partial_snapshot(&self) -> Option<PartialSnapshot> {
        let before = self.rest.look().await;
        let mut partial = PartialSnapshot::default();
        let known = |it: &Component| SERVICES.contains(&it.name());
        for (component, answer) in before.iter().filter(|(component, _)| known(component)) {
            let rows = match answer {
                Ok(_) => self.rest.rows::<Row>(*component).await,
                Err(why) => Err(why.clone()),
            };
            match rows {
                Ok(rows) => rows.into_iter().for_each(|row| partial.snapshot.add(row)),
                Err(why) => drop(partial.silent.insert(*component, why)),
            }
        }
        match self.ledger().await {
            Ok(ledger) => partial.snapshot.ledger = ledger,
            Err(why) => drop(partial.silent.insert(names::sandbox(), why)),
        }
        (answers(&before) == answers(&self.rest.look().await)).then_some(partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(silent: &[&str]) -> Option<Vec<u8>> {
        let silent = silent.iter().map(|name| ((*name).into(), "is stopped".to_owned())).collect();
        let partial = PartialSnapshot { silent, ..PartialSnapshot::default() };
        let settled = partial.audit_settled(None)?;
        Some(settled.report.invariants.iter().map(|it| it.number).collect())
    }

    #[test]
    fn an_invariant_is_judged_unless_it_needs_a_silent_program() {
        assert_eq!(judged(&[]), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(judged(&["payment"]), Some(vec![1, 4, 6]));
        assert_eq!(judged(&["sandbox"]), Some(vec![1, 4]));
        assert_eq!(judged(&["order"]), Some(vec![4]));
        assert_eq!(judged(&["inventory"]), Some(vec![1, 6]));
        assert_eq!(judged(needed_for(7)), None);
    }
}
