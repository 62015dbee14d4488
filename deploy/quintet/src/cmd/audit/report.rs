//! The result of an audit as text and as JSON.

use super::{AuditResult, Unrest};
use audit::{Invariant, Offence, Report, UnderWay};
use console::style;
use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::ui::wrapped;
use serde_json::{Value, json};
use std::time::Duration;

/// The indentation of the lines below an invariant's name.
const INDENT: usize = 4;
/// How many orders under way are listed at most.
const LISTED: usize = 20;
/// How many invariants are judged if the suite is at rest.
const INVARIANTS: usize = 7;

/// How the text shows notes: findings that are allowed but worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notes {
    /// A line for each note.
    Listed,
    /// A line for each invariant, with its first note and their number.
    Counted,
}

/// The result as text: a mark, the figures and the offences of each invariant, and a conclusion.
pub(crate) fn text(result: &AuditResult, wait: Duration, notes: Notes) -> String {
    match result {
        AuditResult::AtRest(report) => {
            let mut lines = invariants(report, notes);
            lines.push(conclusion(report));
            lines.join("\n")
        }
        AuditResult::NotAtRest(unrest) => not_at_rest(unrest, wait, notes),
    }
}

fn invariants(report: &Report, notes: Notes) -> Vec<String> {
    report.invariants.iter().flat_map(|it| invariant(it, notes)).collect()
}

fn not_at_rest(unrest: &Unrest, wait: Duration, notes: Notes) -> String {
    let Unrest { waiting, settled } = unrest;
    let wait = SignedDuration::try_from(wait).map(duration::text).unwrap_or_default();
    let waiting = waiting.iter().flat_map(|why| wrapped(why, INDENT));
    let Some(UnderWay { orders, report }) = settled else {
        let head = format!("not at rest after {wait}, so nothing can be said:");
        return [head].into_iter().chain(waiting).collect::<Vec<_>>().join("\n");
    };
    let mut lines = invariants(report, notes);
    lines.push(format!("not at rest after {wait}: the result above leaves these out:"));
    lines.extend(waiting);
    let listed = orders.iter().take(LISTED);
    lines.extend(
        listed.flat_map(|Offence { subject, why }| wrapped(&format!("{subject}: {why}"), INDENT)),
    );
    if let Some(more) = orders.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.extend(wrapped(&format!("and {more} more"), INDENT));
    }
    lines.push(conclusion(report));
    lines.join("\n")
}

/// The result as JSON.
pub(crate) fn json(result: &AuditResult) -> Value {
    match result {
        AuditResult::AtRest(report) => {
            let result = if report.holds() { "sound" } else { "broken" };
            json!({ "result": result, "invariants": report.invariants, "waiting": [] })
        }
        AuditResult::NotAtRest(Unrest { waiting, settled }) => {
            let (orders, invariants) = match settled {
                Some(UnderWay { orders, report }) => (&orders[..], &report.invariants[..]),
                None => Default::default(),
            };
            json!({
                "result": "not_at_rest", "invariants": invariants, "waiting": waiting,
                "under_way": orders,
            })
        }
    }
}

fn invariant(invariant: &Invariant, show: Notes) -> Vec<String> {
    let Invariant { number, name, figures, holds, offences, unlisted, notes, noted } = invariant;
    let mark = if *holds { style("✓").green() } else { style("✗").red().bold() };
    let mut lines = vec![format!("{mark} {number} {name}")];
    let figures: Vec<String> =
        figures.iter().map(|(name, count)| format!("{name} {count}")).collect();
    lines.extend(wrapped(&figures.join(", "), INDENT));
    let offence =
        |Offence { subject, why }: &Offence| wrapped(&format!("{subject}: {why}"), INDENT);
    lines.extend(offences.iter().flat_map(offence));
    if *unlisted > 0 {
        lines.extend(wrapped(&format!("and {unlisted} more"), INDENT));
    }
    let note = |Offence { subject, why }: &Offence| {
        wrapped(&format!("(allowed: {subject}: {why})"), INDENT)
    };
    match (show, &notes[..]) {
        (Notes::Counted, [Offence { subject, why }, _, ..]) => {
            let rest = noted - 1;
            let counted = format!("(allowed: {subject}: {why}; and {rest} more of the kind)");
            lines.extend(wrapped(&counted, INDENT));
        }
        _ => lines.extend(notes.iter().flat_map(note)),
    }
    lines
}

fn conclusion(report: &Report) -> String {
    let judged = report.invariants.len();
    match report.invariants.iter().filter(|invariant| !invariant.holds).count() {
        0 if judged == 0 => "no invariant can be judged".to_owned(),
        0 if judged == 1 => "the one invariant that can be judged holds".to_owned(),
        0 if judged < INVARIANTS => format!("the {judged} invariants that can be judged hold"),
        0 => format!("{}: all {judged} invariants hold", style("sound").green()),
        broken => {
            format!("{}: {broken} of {judged} invariants do not hold", style("BROKEN").red().bold())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::Subject;

    /// The result of a suite at rest; the first invariant has the offences, also as notes.
    fn at_rest(holds: bool, offences: Vec<Offence>) -> AuditResult {
        let name = "every accepted order ends exactly once";
        let (figures, notes) = ([("orders", 30), ("open", 1)].into(), offences.clone());
        let unlisted = usize::from(!holds) * 5;
        let one = Invariant {
            number: 1,
            name,
            figures,
            holds,
            noted: offences.len(),
            offences,
            unlisted,
            notes,
        };
        let others = (2..=7).map(|number| Invariant { number, holds: true, ..one.clone() });
        let others = others.map(|other| Invariant {
            offences: Vec::new(),
            unlisted: 0,
            noted: 0,
            notes: Vec::new(),
            ..other
        });
        AuditResult::AtRest(Report {
            invariants: [one.clone()].into_iter().chain(others).collect(),
        })
    }

    fn offence() -> Offence {
        let id = "01a1fde8-c42a-73f5-96da-6e816ab97e8a".parse().unwrap();
        let why =
            "is cancelled, was charged 2 times and refunded 1 times, and so on and on".to_owned();
        Offence { subject: Subject::Order(id), why }
    }

    #[test]
    fn a_sound_suite_is_reported_with_its_figures() {
        let text = text(&at_rest(true, Vec::new()), Duration::ZERO, Notes::Listed);
        let lines: Vec<&str> = text.lines().collect();
        let first = ["✓ 1 every accepted order ends exactly once", "    open 1, orders 30"];
        let last = Some(&"sound: all 7 invariants hold");
        assert_eq!((&lines[..2], lines.last()), (&first[..], last));
    }

    #[test]
    fn a_broken_suite_is_reported_with_its_offences_within_a_hundred_columns() {
        let text = text(&at_rest(false, vec![offence()]), Duration::ZERO, Notes::Listed);
        assert!(text.starts_with("✗ 1 "), "{text}");
        assert!(
            text.contains("order 01a1fde8-c42a-73f5-96da-6e816ab97e8a: is cancelled"),
            "{text}"
        );
        assert!(text.contains("\n    and 5 more\n"), "{text}");
        assert!(text.ends_with("BROKEN: 1 of 7 invariants do not hold"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn notes_are_listed_or_counted() {
        let result = at_rest(true, vec![offence(); 3]);
        let lines = |notes| text(&result, Duration::ZERO, notes).matches("(allowed: ").count();
        assert_eq!((lines(Notes::Listed), lines(Notes::Counted)), (3, 1));
        let counted = text(&result, Duration::ZERO, Notes::Counted);
        let flat = counted.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("; and 2 more of the kind)"), "{counted}");
    }

    #[test]
    fn a_suite_that_moves_all_the_time_is_reported_with_the_services_at_work() {
        let waiting = vec!["payment: effects 2".to_owned()];
        let result = AuditResult::NotAtRest(Unrest { waiting, settled: None });
        let text = text(&result, Duration::from_secs(30), Notes::Listed);
        assert_eq!(text, "not at rest after 30 s, so nothing can be said:\n    payment: effects 2");
        let expected = r#"{"invariants":[],"result":"not_at_rest","under_way":[],"waiting":["payment: effects 2"]}"#;
        assert_eq!(json(&result).to_string(), expected);
    }

    #[test]
    fn settled_orders_are_judged_although_others_are_under_way() {
        let waiting = vec!["payment: effects 2".to_owned()];
        let orders = vec![offence(); LISTED + 3];
        let AuditResult::AtRest(mut report) = at_rest(true, Vec::new()) else { panic!("at rest") };
        report.invariants.pop();
        let settled = Some(UnderWay { orders, report });
        let result = AuditResult::NotAtRest(Unrest { waiting, settled });
        let text = text(&result, Duration::from_secs(30), Notes::Listed);
        assert!(text.starts_with("✓ 1 "), "{text}");
        let left_out = "not at rest after 30 s: the result above leaves these out:\n    payment: effects 2\n    \
                        order 01a1fde8-c42a-73f5-96da-6e816ab97e8a: is cancelled";
        assert!(text.contains(left_out), "{text}");
        let end = "\n    and 3 more\nthe 6 invariants that can be judged hold";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(json(&result)["under_way"].as_array().unwrap().len(), LISTED + 3);
        assert_eq!(json(&result)["invariants"].as_array().unwrap().len(), 6);
        assert!(json(&at_rest(true, Vec::new()))["result"] == "sound");
        assert!(json(&at_rest(false, vec![offence()]))["result"] == "broken");
    }
}
