//! Invariant 7: At rest: outboxes, effects and alarms empty, nothing parked, consumer lag 0.

use crate::{Invariant, SERVICES, Snapshot, Status, Subject};

pub(crate) fn check(snapshot: &Snapshot) -> Invariant {
    let mut check = Invariant::new(7, "at rest: nothing waits, nothing is parked");
    for service in SERVICES {
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
    use crate::{
        Depth, Snapshot, Status, Subject, at_rest,
        fixture::{broken_of, sound},
    };

    fn broken(change: impl FnOnce(&mut Status)) -> String {
        let payment = Subject::Service("payment".to_owned());
        let change = |it: &mut Snapshot| {
            it.status.entry("payment".into()).and_modify(change);
        };
        broken_of(7, &payment, change, &[])
    }

    #[test]
    fn whatever_waits_is_found() {
        let depth = Depth { depth: 3 };
        assert!(broken(|it| it.outbox = depth).contains("outbox 3"));
        assert!(broken(|it| it.effects = depth).contains("effects 3"));
        assert!(broken(|it| it.alarms = depth).contains("alarms 3"));
        assert!(broken(|it| it.parked = depth).contains("parked 3"));
        assert!(broken(|it| it.lag = Some(3)).contains("lag 3"));
    }

    #[test]
    fn who_does_not_say_is_found() {
        assert!(broken(|it| it.lag = None).contains("the broker does not answer"));
        let payment = Subject::Service("payment".to_owned());
        let silent = broken_of(7, &payment, |it| it.status.remove("payment"), &[]);
        assert!(silent.contains("does not say"), "{silent}");
    }

    #[test]
    fn rest_is_twice_the_same_turns_and_nothing_waiting() {
        let (before, mut after) = (sound(), sound());
        assert!(at_rest(&before, &after));
        after.status.entry("order".into()).and_modify(|status| status.turns += 1);
        assert!(!at_rest(&before, &after));
        let mut waiting = sound();
        waiting.status.entry("order".into()).and_modify(|status| status.lag = Some(1));
        assert!(!at_rest(&waiting, &waiting));
        waiting.status.remove("order");
        assert!(!at_rest(&waiting, &waiting));
    }
}
