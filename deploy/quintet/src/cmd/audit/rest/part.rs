//! What those programs say that answer, and what can be judged by it.

use super::Auditor;
use crate::names;
use audit::{Row, SERVICES, Snapshot, UnderWay};
use contracts::OrderId;
use quintet_suite::Component;
use quintet_suite::rest::answers;
use std::collections::BTreeMap;

/// A snapshot of one moment, without what silent programs know.
#[derive(Debug, Default)]
pub(crate) struct Part {
    snapshot: Snapshot,
    /// Why each of the others does not answer.
    pub(crate) silent: BTreeMap<Component, String>,
}

impl Part {
    /// Judges all that needs nothing of a silent program; `None` if there is nothing to say.
    pub(crate) fn settled(&self, accepted: Option<&[OrderId]>) -> Option<UnderWay> {
        let mut found = audit::audit_settled(&self.snapshot, accepted);
        let speaks = |name: &&str| !self.silent.keys().any(|it| it == *name);
        found.report.invariants.retain(|it| needs(it.number).iter().all(speaks));
        (!found.report.invariants.is_empty() || !found.orders.is_empty()).then_some(found)
    }
}

/// The programs without which an invariant cannot be judged. Order alone knows which orders are under way.
const fn needs(invariant: u8) -> &'static [&'static str] {
    match invariant {
        1 => &["order", "notification"],
        4 => &["inventory"],
        6 => &["order", "notification", "sandbox"],
        _ => &["order", "inventory", "payment", "shipping", "notification", "sandbox"],
    }
}

impl Auditor {
    /// What the programs say that answer; `None` if something happened meanwhile.
    pub(super) async fn part(&self) -> Option<Part> {
        let before = self.rest.look().await;
        let mut part = Part::default();
        let known = |it: &Component| SERVICES.contains(&it.name());
        for (component, answer) in before.iter().filter(|(component, _)| known(component)) {
            let rows = match answer {
                Ok(_) => self.rest.rows::<Row>(*component).await,
                Err(why) => Err(why.clone()),
            };
            match rows {
                Ok(rows) => rows.into_iter().for_each(|row| part.snapshot.add(row)),
                Err(why) => drop(part.silent.insert(*component, why)),
            }
        }
        match self.ledger().await {
            Ok(ledger) => part.snapshot.ledger = ledger,
            Err(why) => drop(part.silent.insert(names::sandbox(), why)),
        }
        (answers(&before) == answers(&self.rest.look().await)).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(silent: &[&str]) -> Option<Vec<u8>> {
        let silent = silent.iter().map(|it| ((*it).into(), "is stopped".to_owned())).collect();
        let settled = Part { silent, ..Part::default() }.settled(None)?;
        Some(settled.report.invariants.iter().map(|it| it.number).collect())
    }

    #[test]
    fn what_needs_nothing_of_a_silent_program_is_judged() {
        assert_eq!(judged(&[]), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(judged(&["payment"]), Some(vec![1, 4, 6]));
        assert_eq!(judged(&["sandbox"]), Some(vec![1, 4]));
        assert_eq!(judged(&["order"]), Some(vec![4]));
        assert_eq!(judged(&["inventory"]), Some(vec![1, 6]));
        assert_eq!(judged(needs(7)), None);
    }
}
