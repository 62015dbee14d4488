//! The matrix as Markdown.

use std::fmt::Write;

use crash::Point;

use crate::{Cell, CellOutcome, Outcomes, Reaction};

const BEGIN: &str = "# The crash matrix

<!-- Made by the commands below; do not edit. -->

```sh
cargo run --release -p crash-matrix -- --backend sqlite --write
cargo run --release -p crash-matrix -- --backend postgres --postgres postgres://USER@HOST:PORT --brokers HOST:PORT --write
```

Each cell is a death: the service's process aborts at this point when such an input of one order passes it for the first time, and is
started again. Many orders run at the same time, and each cell has an order of its own. A cell of an emitted event has three, because
which of an order's last events ends it depends on timing. Cells whose inputs reach the same point in the same batch share a death.

**once**: the order ended as it would have without the death. The providers' ledger has each charge, refund, booking and mail of that end
once, and nothing else. All seven invariants of the audit held after each round, also against the customers' own list of accepted
orders. A point that should have been reached and was not is **missed**, which is a failure. A number says why a point cannot be
reached.

A reaction is named by its input: an event or a command, `*charge` for the answer to a charge, `*charge held` when a charge is held
for an operator, `*charge resolved` for the outcome that the operator found at the gateway, `@first_deadline` for an alarm.
";

fn heading(backend: &str) -> String {
    format!("## {backend}\n")
}

/// Returns the document with this backend's section replaced or added.
#[must_use]
pub fn with_section(old: &str, backend: &str, cells: &[Cell], outcomes: &Outcomes) -> String {
    let mut sections: Vec<(String, String)> = old
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .filter(|(name, _)| name != backend && !name.starts_with("Points"))
        .collect();
    sections.push((backend.to_owned(), section(cells, outcomes).trim().to_owned()));
    sections.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut text = format!("{BEGIN}\n{}", legend());
    for (name, section) in sections {
        let _ = write!(text, "\n{}\n{section}\n", heading(&name));
    }
    text
}

/// The list of points, by the letters of their columns.
fn legend() -> String {
    let mut text = String::from("## Points\n\n");
    for (nth, point) in Point::ALL.iter().enumerate() {
        let name: &str = point.into();
        let _ = writeln!(text, "- **{}** `{name}`: {}", column(nth), point.what());
    }
    text
}

fn section(cells: &[Cell], outcomes: &Outcomes) -> String {
    let count = |matches: fn(&CellOutcome) -> bool| {
        cells.iter().filter(|cell| matches(&outcomes[&cell.name()])).count()
    };
    let once = count(|outcome| *outcome == CellOutcome::Once);
    let never = count(|outcome| matches!(outcome, CellOutcome::Never(_)));
    let wrong = count(|outcome| !outcome.is_right());
    let mut reactions: Vec<&Reaction> = Vec::new();
    for cell in cells {
        if !reactions.contains(&&cell.reaction) {
            reactions.push(&cell.reaction);
        }
    }
    let mut reasons: Vec<&str> = Vec::new();
    let mut text = format!(
        "{} reactions, {} points: {once} cells once, {never} not reachable, {wrong} wrong or missed.\n\n",
        reactions.len(),
        Point::ALL.len(),
    );
    let columns: Vec<String> = (0..Point::ALL.len()).map(column).collect();
    let _ = writeln!(text, "| service | input | {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(Point::ALL.len()));
    for reaction in reactions {
        let row = cells.iter().filter(|cell| cell.reaction == *reaction);
        let row: Vec<String> =
            row.map(|cell| short(&outcomes[&cell.name()], &mut reasons)).collect();
        let input = &reaction.input;
        let _ = writeln!(text, "| {} | `{input}` | {} |", reaction.service, row.join(" | "));
    }
    text.push('\n');
    for (nth, why) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {why}", nth + 1);
    }
    text
}

/// The text of an outcome. For a cell that cannot be reached it is the number of the reason.
fn short(outcome: &CellOutcome, reasons: &mut Vec<&'static str>) -> String {
    let CellOutcome::Never(why) = outcome else { return outcome.to_string() };
    let nth = reasons.iter().position(|known| known == why).unwrap_or_else(|| {
        reasons.push(why);
        reasons.len() - 1
    });
    format!("{}", nth + 1)
}

/// The letter of a column: A, B, C, …
fn column(nth: usize) -> String {
    let letter = u8::try_from(nth).ok().and_then(|nth| b'A'.checked_add(nth));
    letter.map_or_else(|| nth.to_string(), |letter| char::from(letter).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, matrix};

    fn outcomes(cells: &[Cell]) -> Outcomes {
        let outcome = |cell: &Cell| match cell.reach {
            Reach::Never(why) => CellOutcome::Never(why),
            _ => CellOutcome::Once,
        };
        cells.iter().map(|cell| (cell.name(), outcome(cell))).collect()
    }

    #[test]
    fn a_new_section_replaces_the_one_of_its_backend_and_keeps_the_others() {
        let cells = matrix();
        let mut outcomes = outcomes(&cells);
        let one_backend = with_section("", "SQLite and the log", &cells, &outcomes);
        let document = with_section(&one_backend, "PostgreSQL and Kafka", &cells, &outcomes);
        assert_eq!(with_section(&document, "PostgreSQL and Kafka", &cells, &outcomes), document);
        assert!(document.starts_with(BEGIN));
        assert_eq!(document.matches("\n## ").count(), 3, "{document}");
        outcomes.insert(cells[3].name(), CellOutcome::Wrong("charged twice".to_owned()));
        let replaced = with_section(&document, "SQLite and the log", &cells, &outcomes);
        assert!(replaced.contains("charged twice") && replaced.contains("PostgreSQL and Kafka"));
        assert!(replaced.contains("1 wrong or missed"));
    }
}
