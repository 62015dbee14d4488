//! The verdict as text and as JSON.

use super::{Unrest, Verdict};
use audit::{Invariant, Offence, Report, UnderWay};
use console::style;
use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::ui::wrapped;
use serde_json::{Value, json};
use std::time::Duration;

/// Under the name of its invariant.
const INDENT: usize = 4;
/// Orders under way that are named.
const NAMED: usize = 20;
/// How many there are to judge, where everything rests.
const INVARIANTS: usize = 7;

/// How what is allowed and worth knowing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notes {
    /// A line each.
    Listed,
    /// A line for each invariant, with how many there are and the first of them.
    Counted,
}

/// For people: a mark and the figures of each invariant, who offends, and what it comes to.
pub(crate) fn text(verdict: &Verdict, wait: Duration, notes: Notes) -> String {
    match verdict {
        Verdict::Judged(report) => {
            let told = report.invariants.iter().flat_map(|it| invariant(it, notes));
            let mut lines: Vec<String> = told.collect();
            lines.push(conclusion(report));
            lines.join("\n")
        }
        Verdict::NotAtRest(unrest) => not_at_rest(unrest, wait, notes),
    }
}

fn not_at_rest(unrest: &Unrest, wait: Duration, notes: Notes) -> String {
    let Unrest { waiting, settled } = unrest;
    let wait = SignedDuration::try_from(wait).map(duration::text).unwrap_or_default();
    let waiting = waiting.iter().flat_map(|why| wrapped(why, INDENT));
    let Some(UnderWay { orders, report }) = settled else {
        let head = format!("not at rest after {wait}, so nothing can be said:");
        return [head].into_iter().chain(waiting).collect::<Vec<_>>().join("\n");
    };
    let told = report.invariants.iter().flat_map(|it| invariant(it, notes));
    let mut lines: Vec<String> = told.collect();
    lines.push(format!("not at rest after {wait}: the verdict above leaves these out:"));
    lines.extend(waiting);
    let named = orders.iter().take(NAMED);
    lines.extend(
        named.flat_map(|Offence { subject, why }| wrapped(&format!("{subject}: {why}"), INDENT)),
    );
    if let Some(more) = orders.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.extend(wrapped(&format!("and {more} more"), INDENT));
    }
    lines.push(conclusion(report));
    lines.join("\n")
}

/// For programs.
pub(crate) fn json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Judged(report) => {
            let verdict = if report.holds() { "sound" } else { "broken" };
            json!({ "verdict": verdict, "invariants": report.invariants, "waiting": [] })
        }
        Verdict::NotAtRest(Unrest { waiting, settled }) => {
            let (orders, invariants) = match settled {
                Some(UnderWay { orders, report }) => (&orders[..], &report.invariants[..]),
                None => Default::default(),
            };
            json!({
                "verdict": "not_at_rest", "invariants": invariants, "waiting": waiting,
                "under_way": orders,
            })
        }
    }
}

fn invariant(invariant: &Invariant, telling: Notes) -> Vec<String> {
    let Invariant { number, name, figures, holds, offences, unlisted, notes, noted } = invariant;
    let mark = if *holds { style("✓").green() } else { style("✗").red().bold() };
    let mut lines = vec![format!("{mark} {number} {name}")];
    let figures: Vec<String> =
        figures.iter().map(|(name, count)| format!("{name} {count}")).collect();
    lines.extend(wrapped(&figures.join(", "), INDENT));
    let told = |Offence { subject, why }: &Offence| wrapped(&format!("{subject}: {why}"), INDENT);
    lines.extend(offences.iter().flat_map(told));
    if *unlisted > 0 {
        lines.extend(wrapped(&format!("and {unlisted} more"), INDENT));
    }
    let note = |Offence { subject, why }: &Offence| {
        wrapped(&format!("(allowed: {subject}: {why})"), INDENT)
    };
    match (telling, &notes[..]) {
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
    let all = report.invariants.len();
    match report.invariants.iter().filter(|invariant| !invariant.holds).count() {
        0 if all == 0 => "no invariant can be judged".to_owned(),
        0 if all == 1 => "the one invariant that can be judged holds".to_owned(),
        0 if all < INVARIANTS => format!("the {all} invariants that can be judged hold"),
        0 => format!("{}: all {all} invariants hold", style("sound").green()),
        broken => {
            format!("{}: {broken} of {all} invariants do not hold", style("BROKEN").red().bold())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::Subject;

    fn judged(holds: bool, offences: Vec<Offence>) -> Verdict {
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
        let others = others.map(|it| Invariant {
            offences: Vec::new(),
            unlisted: 0,
            noted: 0,
            notes: Vec::new(),
            ..it
        });
        Verdict::Judged(Report { invariants: [one.clone()].into_iter().chain(others).collect() })
    }

    fn offence() -> Offence {
        let id = "01a1fde8-c42a-73f5-96da-6e816ab97e8a".parse().unwrap();
        let why =
            "is cancelled, was charged 2 times and refunded 1 times, and so on and on".to_owned();
        Offence { subject: Subject::Order(id), why }
    }

    #[test]
    fn a_sound_suite_is_told_with_its_figures() {
        let told = text(&judged(true, Vec::new()), Duration::ZERO, Notes::Listed);
        let told: Vec<&str> = told.lines().collect();
        let first = ["✓ 1 every accepted order ends exactly once", "    open 1, orders 30"];
        assert_eq!((&told[..2], told.last()), (&first[..], Some(&"sound: all 7 invariants hold")));
    }

    #[test]
    fn a_broken_one_names_who_offends_within_a_hundred_columns() {
        let told = text(&judged(false, vec![offence()]), Duration::ZERO, Notes::Listed);
        assert!(told.starts_with("✗ 1 "), "{told}");
        assert!(
            told.contains("order 01a1fde8-c42a-73f5-96da-6e816ab97e8a: is cancelled"),
            "{told}"
        );
        assert!(told.contains("\n    and 5 more\n"), "{told}");
        assert!(told.ends_with("BROKEN: 1 of 7 invariants do not hold"), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    }

    #[test]
    fn what_is_allowed_is_listed_or_counted() {
        let verdict = judged(true, vec![offence(); 3]);
        let lines = |notes| text(&verdict, Duration::ZERO, notes).matches("(allowed: ").count();
        // The offences of this fixture are its notes too.
        assert_eq!((lines(Notes::Listed), lines(Notes::Counted)), (3, 1));
        let counted = text(&verdict, Duration::ZERO, Notes::Counted);
        let flat = counted.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("; and 2 more of the kind)"), "{counted}");
    }

    #[test]
    fn unrest_is_told_with_who_and_as_json() {
        let waiting = vec!["payment: effects 2".to_owned()];
        let verdict = Verdict::NotAtRest(Unrest { waiting: waiting.clone(), settled: None });
        let told = text(&verdict, Duration::from_secs(30), Notes::Listed);
        assert_eq!(told, "not at rest after 30 s, so nothing can be said:\n    payment: effects 2");
        let expected = r#"{"invariants":[],"under_way":[],"verdict":"not_at_rest","waiting":["payment: effects 2"]}"#;
        assert_eq!(json(&verdict).to_string(), expected);

        let orders = vec![offence(); NAMED + 3];
        let Verdict::Judged(mut report) = judged(true, Vec::new()) else { panic!("judged") };
        report.invariants.pop();
        let settled = Some(UnderWay { orders, report });
        let verdict = Verdict::NotAtRest(Unrest { waiting, settled });
        let told = text(&verdict, Duration::from_secs(30), Notes::Listed);
        assert!(told.starts_with("✓ 1 "), "{told}");
        let left_out = "not at rest after 30 s: the verdict above leaves these out:\n    payment: effects 2\n    \
                        order 01a1fde8-c42a-73f5-96da-6e816ab97e8a: is cancelled";
        assert!(told.contains(left_out), "{told}");
        let end = "\n    and 3 more\nthe 6 invariants that can be judged hold";
        assert!(told.ends_with(end), "{told}");
        assert_eq!(json(&verdict)["under_way"].as_array().unwrap().len(), NAMED + 3);
        assert_eq!(json(&verdict)["invariants"].as_array().unwrap().len(), 6);
        assert!(json(&judged(true, Vec::new()))["verdict"] == "sound");
        assert!(json(&judged(false, vec![offence()]))["verdict"] == "broken");
    }
}
