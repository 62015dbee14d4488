//! What the auditor says of a run that has come to rest.

use audit::{Invariant, Snapshot, Subject};

use crate::{stage::Stage, suite::Suite};

/// What a broken invariant amounts to, in the story's names: its number, then the first offence.
pub(crate) fn of(broken: &Invariant, stage: &Stage) -> String {
    let first = broken.offences.first().map_or(String::new(), |offence| {
        let subject = match &offence.subject {
            Subject::Order(order) => format!("order {}", stage.name(order.uuid())),
            subject => subject.to_string(),
        };
        format!("{subject} {}", offence.why)
    });
    format!("{}: {first}", broken.number)
}

impl Suite {
    /// The first thing that is not as it must be, if any.
    pub(crate) fn judge(&self, snapshot: &Snapshot) -> Option<String> {
        if let Some(name) = self.client.accepted_twice().filter(|_| self.keys_hold()) {
            return Some(format!("1: order {name} was accepted twice under one key"));
        }
        let report = audit::audit(snapshot, Some(&self.client.accepted()));
        if let Some(broken) = report.invariants.iter().find(|invariant| !invariant.holds) {
            return Some(of(broken, &self.stage));
        }
        let accepted = self.client.accepted().len();
        if self.keys_hold() && snapshot.orders.len() != accepted {
            let orders = snapshot.orders.len();
            return Some(format!("1: {accepted} orders were accepted, and there are {orders}"));
        }
        let products = snapshot.products.iter();
        let mut wrong = products.filter(|row| row.stocked != self.client.delivered(&row.sku));
        let wrong = wrong.next().filter(|_| self.keys_hold())?;
        let (sku, stocked) = (&wrong.sku, wrong.stocked);
        let delivered = self.client.delivered(sku);
        Some(format!("4: {delivered} {sku} were delivered, and {stocked} count as stocked"))
    }
}
