//! The report that `up` prints when the suite is ready.

use crate::component::Member;
use crate::datadir::DataDir;
use crate::invocation;
use crate::suite::{Replica, Suite};
use std::fmt::Write as _;

/// The text of the report: URLs, paths, and what to try.
pub(super) fn text(suite: &Suite, dir: &DataDir, hints: &str) -> String {
    let name = capitalized(invocation::name());
    let mut text = format!("{name} is up, {}. Ctrl-C stops it.\n\n", suite.stands_on());
    for (&component, service) in &suite.services {
        for (nth, Replica { url, admin_url, .. }) in service.replicas.iter().enumerate() {
            let name = Member { component, nth }.to_string();
            let _ = writeln!(text, "  {name:<15}{url:<24}admin {admin_url}");
        }
    }
    for (component, provider) in &suite.providers {
        let further = provider.further.iter().map(|(protocol, url)| {
            // Users know a mail server by its purpose rather than by its protocol.
            let what = if protocol == "smtp" { "mail" } else { protocol };
            format!("{what:<5} {url}")
        });
        let further: Vec<String> = further.collect();
        let line = format!("  {:<15}{:<24}{}", component.name(), provider.url, further.join("  "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let shown = dir.shown();
    let _ = writeln!(text, "\n  data in {0}, logs in {0}/logs\n", shown.display());
    text.push_str(hints);
    text.truncate(text.trim_end().len());
    text
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::tests::suite;

    #[test]
    fn the_report_fits_a_hundred_columns_and_names_every_url() {
        let dir = DataDir::find(None).unwrap();
        let text = text(&suite(), &dir, "Try something.\n");
        assert!(text.starts_with("Quintet is up, on the log and SQLite. Ctrl-C stops it.\n"));
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        for component in suite().components() {
            assert!(text.contains(suite().url(component)), "{component} is missing:\n{text}");
        }
        let airline = "  airline        http://127.0.0.1:8090   mail  smtp://127.0.0.1:8091\n";
        assert!(text.contains(airline) && text.ends_with("\n\nTry something."), "{text}");
    }
}
