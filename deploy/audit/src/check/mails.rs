//! Invariant 6: there is one mail per milestone and order, counted by Message-ID. Copies of the same mail are
//! allowed, because SMTP has no idempotency keys.

use std::collections::{BTreeMap, BTreeSet};

use contracts::OrderId;

use crate::{
    Invariant, MailStatus, Notified, Snapshot, Subject,
    facts::{ByOrder, Facts},
};

pub(crate) fn check(snapshot: &Snapshot, facts: &ByOrder<'_>) -> Invariant {
    let mut check = Invariant::new(6, "one mail per milestone and order");
    for figure in ["mails", "refused", "sent twice"] {
        check.count(figure, 0);
    }
    for mail in snapshot.ledger.mails.iter().filter(|mail| mail.order().is_none()) {
        check.offends(Subject::Mail(mail.message_id.clone()), "names no order");
    }
    let mut ids = BTreeMap::new();
    for mail in &snapshot.ledger.mails {
        if let Some(other) = ids.insert(mail.message_id.as_str(), mail.order()) {
            let same = other == mail.order();
            check.must(same, Subject::Mail(mail.message_id.clone()), || {
                "is about two orders".into()
            });
        }
    }
    for (&id, known) in facts {
        written(&mut check, id, known);
        if known.order.is_some_and(|order| order.ended.is_some()) {
            settled(&mut check, id, known);
        }
    }
    check
}

/// The mail server has exactly the mails that the notification service has sent.
fn written(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let (mut ids, mut subjects) = (BTreeSet::new(), BTreeSet::new());
    for mail in &known.mails {
        if !ids.insert(mail.message_id.as_str()) {
            continue;
        }
        check.count("mails", 1);
        check.must(subjects.insert(&mail.subject), id, || {
            format!("got {:?} under two message ids", mail.subject)
        });
        if mail.copies > 1 {
            check.count("sent twice", 1);
            check.note(id, format!("got {:?} {} times", mail.subject, mail.copies));
        }
    }
    let row = known.notification;
    let states = row.map(|row| [row.placed_mail, row.end_mail]).unwrap_or_default();
    let mails_in = |status| states.iter().filter(|state| **state == Some(status)).count();
    check.count("refused", i64::try_from(mails_in(MailStatus::Failed)).unwrap_or(i64::MAX));
    let (sent, arrived) = (mails_in(MailStatus::Sent), ids.len());
    check.must(sent == arrived, id, || {
        format!("notification sent {sent} mails, the mail server has {arrived}")
    });
}

/// Both mails about an order that has ended are sent or refused.
fn settled(check: &mut Invariant, id: OrderId, known: &Facts<'_>) {
    let Some(row) = known.notification else {
        return check.offends(id, "has ended, notification does not know it");
    };
    check.must(row.state == Notified::Both, id, || {
        format!("has ended, notification stands at {}", row.state)
    });
    for (mail, status) in [("first", row.placed_mail), ("last", row.end_mail)] {
        match status {
            Some(MailStatus::Sent | MailStatus::Failed) => {}
            Some(MailStatus::Sending) => check.offends(id, format!("its {mail} mail is not sent")),
            None => check.offends(id, format!("its {mail} mail was never written")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Mail,
        fixture::{broken, broken_of, cancelled, sound},
    };

    #[test]
    fn one_milestone_under_two_message_ids_is_found() {
        let found = broken(6, |snapshot| {
            let mail = snapshot.ledger.mails[0].clone();
            snapshot.ledger.mails.push(Mail { message_id: "another".to_owned(), ..mail });
        });
        assert!(found.contains("under two message ids"), "{found}");
    }

    #[test]
    fn a_mail_that_did_not_arrive_or_was_never_written_is_found() {
        let lost = broken(6, |snapshot| snapshot.ledger.mails.remove(0));
        assert!(lost.contains("sent 2 mails, the mail server has 1"), "{lost}");
        let none = broken(6, |snapshot| snapshot.notifications[0].end_mail = None);
        assert!(none.contains("last mail was never written"), "{none}");
        let waits =
            broken(6, |snapshot| snapshot.notifications[0].placed_mail = Some(MailStatus::Sending));
        assert!(waits.contains("first mail is not sent"), "{waits}");
        let unknown = broken(6, |snapshot| snapshot.notifications.remove(0));
        assert!(unknown.contains("notification does not know it"), "{unknown}");
        let half = broken(6, |snapshot| snapshot.notifications[0].state = Notified::HasEnd);
        assert!(half.contains("stands at has_end"), "{half}");
    }

    #[test]
    fn a_mail_that_was_refused_and_yet_arrived_is_found() {
        let found =
            broken(6, |snapshot| snapshot.notifications[0].end_mail = Some(MailStatus::Failed));
        assert!(found.contains("sent 1 mails, the mail server has 2"), "{found}");
    }

    #[test]
    fn a_mail_about_no_order_or_about_two_is_found() {
        let about =
            |snapshot: &Snapshot| Subject::Mail(snapshot.ledger.mails[0].message_id.clone());
        let first = about(&sound());
        let nothing =
            broken_of(6, &first, |snapshot| snapshot.ledger.mails[0].order_id = None, &[]);
        assert!(nothing.contains("names no order"), "{nothing}");
        let two = |snapshot: &mut Snapshot| {
            let mail = snapshot.ledger.mails[0].clone();
            let order_id = Some(cancelled().to_string());
            snapshot.ledger.mails.push(Mail { order_id, ..mail });
        };
        assert!(broken_of(6, &first, two, &[]).contains("about two orders"));
    }

    #[test]
    fn a_refused_mail_and_a_mail_with_copies_are_allowed() {
        let mut snapshot = sound();
        snapshot.ledger.mails[0].copies = 2;
        snapshot.ledger.mails.remove(1);
        snapshot.notifications[0].end_mail = Some(MailStatus::Failed);
        let check = check(&snapshot, &crate::facts::by_order(&snapshot));
        assert!(check.holds, "{check}");
        assert_eq!((check.figures["sent twice"], check.figures["refused"]), (1, 1));
        assert!(check.notes[0].why.contains("2 times"), "{check}");
    }
}
