//! What those programs say that answer, and what can be judged by it.

use super::{Auditor, Look};
use crate::program::Program;
use audit::{Ledger, Row, Snapshot, Status, UnderWay};
use contracts::OrderId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Rows of one answer.
const PAGE: usize = 2_000;

/// A snapshot of one moment, without what silent programs know.
#[derive(Debug, Default)]
pub(crate) struct Part {
    snapshot: Snapshot,
    /// Why each of the others does not answer.
    pub(crate) silent: BTreeMap<Program, String>,
}

#[derive(Deserialize)]
struct Page {
    rows: Vec<Row>,
    next: Option<String>,
}

impl Part {
    /// Judges all that needs nothing of a silent program; `None` if there is nothing to say.
    pub(crate) fn settled(&self, accepted: Option<&[OrderId]>) -> Option<UnderWay> {
        let mut found = audit::audit_settled(&self.snapshot, accepted);
        let speaks = |program| !self.silent.contains_key(program);
        found.report.invariants.retain(|it| needs(it.number).iter().all(speaks));
        (!found.report.invariants.is_empty() || !found.orders.is_empty()).then_some(found)
    }
}

/// The programs without which an invariant cannot be judged. Order alone knows which orders are under way.
const fn needs(invariant: u8) -> &'static [Program] {
    use Program::{Inventory, Notification, Order, Sandbox};
    match invariant {
        1 => &[Order, Notification],
        4 => &[Inventory],
        6 => &[Order, Notification, Sandbox],
        _ => &Program::ALL,
    }
}

impl Auditor {
    /// What the programs say that answer; `None` if something happened meanwhile.
    pub(super) async fn part(&self) -> Option<Part> {
        let before = self.look().await;
        let mut part = Part::default();
        for (program, answer) in &before {
            let read = match answer {
                Ok(_) => self.rows(*program, &mut part.snapshot).await,
                Err(why) => Err(why.clone()),
            };
            part.silent.extend(read.err().map(|why| (*program, why)));
        }
        let ledger = format!("{}/ledger", self.addresses.sandbox.url);
        match self.patient.get::<Ledger>(&ledger).await {
            Ok(ledger) => part.snapshot.ledger = ledger,
            Err(error) => {
                let why = self.why_silent(Program::Sandbox.into(), &error).await;
                part.silent.insert(Program::Sandbox, why);
            }
        }
        (answers(&before) == answers(&self.look().await)).then_some(part)
    }

    async fn rows(&self, service: Program, into: &mut Snapshot) -> Result<(), String> {
        let replicas = self.services.iter().find(|(name, _)| *name == service);
        let admin = replicas.and_then(|(_, replicas)| replicas.first());
        let mut after = String::new();
        while let Some(admin) = admin {
            let url = format!("{admin}/admin/rows?limit={PAGE}{after}");
            let page = match self.patient.get::<Page>(&url).await {
                Ok(page) => page,
                Err(error) => return Err(self.why_silent(service.into(), &error).await),
            };
            page.rows.into_iter().for_each(|row| into.add(row));
            let Some(next) = page.next else { break };
            after = format!("&after={next}");
        }
        Ok(())
    }
}

/// The same figures at two times: no batch was committed in between.
fn answers(look: &Look) -> BTreeMap<Program, &Status> {
    look.iter().filter_map(|(program, answer)| Some((*program, answer.as_ref().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(silent: &[Program]) -> Option<Vec<u8>> {
        let silent = silent.iter().map(|program| (*program, "is stopped".to_owned())).collect();
        let settled = Part { silent, ..Part::default() }.settled(None)?;
        Some(settled.report.invariants.iter().map(|it| it.number).collect())
    }

    #[test]
    fn what_needs_nothing_of_a_silent_program_is_judged() {
        assert_eq!(judged(&[]), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(judged(&[Program::Payment]), Some(vec![1, 4, 6]));
        assert_eq!(judged(&[Program::Sandbox]), Some(vec![1, 4]));
        assert_eq!(judged(&[Program::Order]), Some(vec![4]));
        assert_eq!(judged(&[Program::Inventory]), Some(vec![1, 6]));
        assert_eq!(judged(&Program::ALL), None);
    }
}
