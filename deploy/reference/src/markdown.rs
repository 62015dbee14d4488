//! Markdown as GitHub renders it.

/// A table with these column heads; each row is one line.
pub(crate) fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let rule = vec!["---".to_owned(); heads.len()];
    let lines = [heads, rule].into_iter().chain(rows).map(|cells| line(&cells));
    lines.collect()
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell_text(cell)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// In a cell a bar begins the next one, also within code.
fn cell_text(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// The text with its lines joined.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As code; nothing for nothing.
pub(crate) fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text if text.contains('`') => format!("`` {text} ``"),
        text => format!("`{text}`"),
    }
}

/// A sentence: with a capital and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    let stop = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{rest}{stop}", first.to_uppercase())
}

/// The text of a template in which each `{name}` is replaced; `replacements` are name and text.
pub(crate) fn filled(template: &str, replacements: &[(&str, String)]) -> String {
    replacements.iter().fold(template.to_owned(), |text, (name, with)| {
        text.replace(&format!("{{{name}}}"), with.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_its_cells_hold() {
        let rows = [vec!["a|b".to_owned(), "two\n  lines".to_owned()]];
        assert_eq!(table(&["x", "y"], rows), "| x | y |\n| --- | --- |\n| a\\|b | two lines |\n");
    }

    #[test]
    fn a_sentence_has_a_capital_and_a_stop() {
        assert_eq!(sentence("what runs"), "What runs.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
