//! The verdict as text and as JSON.

use super::Verdict;
use crate::duration;
use crate::ui::wrapped;
use audit::{Invariant, Offence, Report};
use console::style;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

/// Under the name of its invariant.
const INDENT: usize = 4;

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
        Verdict::NotAtRest(waiting) => {
            let wait = SignedDuration::try_from(wait).map(duration::text).unwrap_or_default();
            let head = format!("not at rest after {wait}, so nothing can be said:");
            let waiting = waiting.iter().flat_map(|why| wrapped(why, INDENT));
            [head].into_iter().chain(waiting).collect::<Vec<_>>().join("\n")
        }
    }
}

/// For programs.
pub(crate) fn json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Judged(report) => {
            let verdict = if report.holds() { "sound" } else { "broken" };
            json!({ "verdict": verdict, "invariants": report.invariants, "waiting": [] })
        }
        Verdict::NotAtRest(waiting) => {
            json!({ "verdict": "not_at_rest", "invariants": [], "waiting": waiting })
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
        Verdict::Judged(Report { invariants: vec![one] })
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
        assert_eq!(
            told,
            [
                "✓ 1 every accepted order ends exactly once",
                "    open 1, orders 30",
                "sound: all 1 invariants hold"
            ]
        );
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
        assert!(told.ends_with("BROKEN: 1 of 1 invariants do not hold"), "{told}");
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
        let verdict = Verdict::NotAtRest(vec!["payment: effects 2".to_owned()]);
        let told = text(&verdict, Duration::from_secs(30), Notes::Listed);
        assert_eq!(told, "not at rest after 30 s, so nothing can be said:\n    payment: effects 2");
        let expected =
            r#"{"invariants":[],"verdict":"not_at_rest","waiting":["payment: effects 2"]}"#;
        assert_eq!(json(&verdict).to_string(), expected);
        assert!(json(&judged(true, Vec::new()))["verdict"] == "sound");
        assert!(json(&judged(false, vec![offence()]))["verdict"] == "broken");
    }
}
