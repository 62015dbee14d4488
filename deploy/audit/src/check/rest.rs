//! Invariant 7: the suite is at rest: outboxes, effects and alarms are empty, nothing is parked, and the consumer
//! lag is 0.

use crate::{Invariant, SERVICES, Snapshot, Status, Subject};

pub(crate) fn check(snapshot: &Snapshot) -> Invariant {
    let mut check = Invariant::new(7, "at rest: nothing waits, nothing is parked");
    // A suite may have further services, of which the audit checks only that they are at rest.
    let others = snapshot.status.keys().map(String::as_str);
    let others = others.filter(|service| !SERVICES.contains(service));
    for service in SERVICES.into_iter().chain(others) {
        let subject = Subject::Service(service.to_owned());
        let Some(status) = snapshot.status.get(service) else {
            check.offends(subject, "does not say where it stands");
            continue;
        };
        one(&mut check, subject, status);
    }
    check
}

fn one(check: &mut Invariant, subject: Subject, status: &Status) {
    let waiting = [
        ("outbox", status.outbox.depth),
        ("effects", status.effects.depth),
        ("alarms", status.alarms.depth),
        ("parked", status.parked.depth),
        ("lag", status.lag.unwrap_or(0)),
    ];
    for (figure, depth) in waiting {
        check.count(figure, depth);
    }
    if status.lag.is_none() {
        return check.offends(subject, "cannot tell its lag: the broker does not answer");
    }
    let waiting: Vec<String> = waiting
        .iter()
        .filter(|(_, depth)| *depth != 0)
        .map(|(queue, depth)| format!("{queue} {depth}"))
        .collect();
    check.must(waiting.is_empty(), subject, || format!("still has {}", waiting.join(", ")));
}

#[cfg(test)]
mod tests {
    use crate::{Depth, Snapshot, Status, Subject, fixture::broken_of};

    fn broken(change: impl FnOnce(&mut Status)) -> String {
        let payment = Subject::Service("payment".to_owned());
        let change = |snapshot: &mut Snapshot| {
            snapshot.status.entry("payment".into()).and_modify(change);
        };
        broken_of(7, &payment, change, &[])
    }

    #[test]
    fn everything_that_waits_is_found() {
        let depth = Depth { depth: 3 };
        assert!(broken(|status| status.outbox = depth).contains("outbox 3"));
        assert!(broken(|status| status.effects = depth).contains("effects 3"));
        assert!(broken(|status| status.alarms = depth).contains("alarms 3"));
        assert!(broken(|status| status.parked = depth).contains("parked 3"));
        assert!(broken(|status| status.lag = Some(3)).contains("lag 3"));
    }

    #[test]
    fn a_service_without_status_or_lag_is_found() {
        assert!(broken(|status| status.lag = None).contains("the broker does not answer"));
        let payment = Subject::Service("payment".to_owned());
        let silent = broken_of(7, &payment, |snapshot| snapshot.status.remove("payment"), &[]);
        assert!(silent.contains("does not say"), "{silent}");
    }
}
