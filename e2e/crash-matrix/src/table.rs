//! The matrix as Markdown.

use std::fmt::Write;

use crash::Point;

use crate::{Cell, Reaction, Verdict, Verdicts};

const BEGIN: &str = "# The crash matrix

<!-- Made by the commands below; do not edit. -->

```sh
cargo run --release -p crash-matrix -- --backend sqlite --write
cargo run --release -p crash-matrix -- --backend postgres --postgres postgres://USER@HOST:PORT --brokers HOST:PORT --write
```

Each cell is a death: the service's process aborts at this point the first time that such an input of one order comes there, and is
started again. Many orders run at the same time, each cell has one of its own (three where the emitted event depends on what comes
last). Cells whose inputs come to the same point in the same batch share their death.

**once**: the order ended as it would have without the death, the providers' ledger has each charge, refund, booking and mail that belongs
to that end, once, and nothing else; and the audit of the whole suite, against the customers' own list of accepted orders, held 7 of 7
after each round. A point that should have been reached and was not is **missed**, which is a failure. A number tells why a point
cannot be reached.

A reaction is named by what comes in: an event or a command, `*charge` for the answer to a charge, `*charge held` when a charge is held
for an operator, `*charge resolved` for the outcome that the operator found at the gateway, `@first_deadline` for an alarm.
";

/// What a section is about, before its table.
fn heading(backend: &str) -> String {
    format!("## {backend}\n")
}

/// The text with this backend's section in place of an older one.
#[must_use]
pub fn with_section(old: &str, backend: &str, cells: &[Cell], verdicts: &Verdicts) -> String {
    let mut sections: Vec<(String, String)> = old
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .filter(|(name, _)| name != backend && !name.starts_with("Points"))
        .collect();
    sections.push((backend.to_owned(), section(cells, verdicts).trim().to_owned()));
    sections.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut text = format!("{BEGIN}\n{}", legend());
    for (name, section) in sections {
        let _ = write!(text, "\n{}\n{section}\n", heading(&name));
    }
    text
}

/// What the columns are.
fn legend() -> String {
    let mut text = String::from("## Points\n\n");
    for (nth, point) in Point::ALL.iter().enumerate() {
        let name: &str = point.into();
        let _ = writeln!(text, "- **{}** `{name}`: {}", letter(nth), point.what());
    }
    text
}

fn section(cells: &[Cell], verdicts: &Verdicts) -> String {
    let of =
        |so: fn(&Verdict) -> bool| cells.iter().filter(|cell| so(&verdicts[&cell.name()])).count();
    let once = of(|verdict| *verdict == Verdict::Once);
    let never = of(|verdict| matches!(verdict, Verdict::Never(_)));
    let wrong = of(|verdict| !verdict.is_right());
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
    let letters: Vec<String> = (0..Point::ALL.len()).map(letter).collect();
    let _ = writeln!(text, "| service | input | {} |", letters.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(Point::ALL.len()));
    for reaction in reactions {
        let row = cells.iter().filter(|cell| cell.reaction == *reaction);
        let row: Vec<String> =
            row.map(|cell| short(&verdicts[&cell.name()], &mut reasons)).collect();
        let input = &reaction.input;
        let _ = writeln!(text, "| {} | `{input}` | {} |", reaction.service, row.join(" | "));
    }
    text.push('\n');
    for (nth, why) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {why}", nth + 1);
    }
    text
}

/// A verdict, or the number of the reason why there is none.
fn short(verdict: &Verdict, reasons: &mut Vec<&'static str>) -> String {
    let Verdict::Never(why) = verdict else { return verdict.to_string() };
    let nth = reasons.iter().position(|known| known == why).unwrap_or_else(|| {
        reasons.push(why);
        reasons.len() - 1
    });
    format!("{}", nth + 1)
}

/// A column's name: A, B, C, …
fn letter(nth: usize) -> String {
    let letter = u8::try_from(nth).ok().and_then(|nth| b'A'.checked_add(nth));
    letter.map_or_else(|| nth.to_string(), |letter| char::from(letter).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, matrix};

    fn verdicts(cells: &[Cell]) -> Verdicts {
        let verdict = |cell: &Cell| match cell.reach {
            Reach::Never(why) => Verdict::Never(why),
            _ => Verdict::Once,
        };
        cells.iter().map(|cell| (cell.name(), verdict(cell))).collect()
    }

    #[test]
    fn a_section_takes_the_place_of_its_older_self_and_leaves_the_others() {
        let cells = matrix();
        let mut verdicts = verdicts(&cells);
        let first = with_section("", "SQLite and the log", &cells, &verdicts);
        let both = with_section(&first, "PostgreSQL and Kafka", &cells, &verdicts);
        assert_eq!(with_section(&both, "PostgreSQL and Kafka", &cells, &verdicts), both);
        assert!(both.starts_with(BEGIN));
        assert_eq!(both.matches("\n## ").count(), 3, "{both}");
        verdicts.insert(cells[3].name(), Verdict::Wrong("charged twice".to_owned()));
        let again = with_section(&both, "SQLite and the log", &cells, &verdicts);
        assert!(again.contains("charged twice") && again.contains("PostgreSQL and Kafka"));
        assert!(again.contains("1 wrong or missed"));
    }
}
