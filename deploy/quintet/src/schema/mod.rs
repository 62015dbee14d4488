//! `quintet schema check`: checks the contract's rules. Exit code 0: all are kept. 1: one is broken. 2: the check itself
//! failed.

mod contract;
mod drift;
mod old_data;
mod released;
mod tree;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use old_data::Upcast;
use quintet_suite::Exit;
use quintet_suite::Session;
use quintet_suite::ui;
use serde::Serialize;
use serde_json::json;
use std::fmt;
use std::process::ExitCode;
use tree::Tree;

#[derive(Debug, Args)]
pub(crate) struct SchemaCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that schemas, examples, Rust types and upcasters agree, and that no released schema
    /// changed
    Check(Check),
}

/// Checks the folder `schemas` of this checkout against the types and upcasters that this `quintet`
/// was built with.
#[derive(Debug, Args)]
struct Check {
    /// The commit, branch or tag whose schemas are released. None of them may change or be missing,
    /// and data that follows them must follow the latest version once it is upcast
    #[arg(long, value_name = "GIT_REF")]
    against: Option<String>,
}

/// A rule of the contract that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Violation {
    /// The file, from the folder that holds `schemas`.
    file: String,
    /// The rule's name.
    rule: &'static str,
    /// How the file breaks it.
    problem: String,
    /// What the author should do.
    fix: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, rule, problem, fix } = self;
        write!(f, "{file}: {rule}: {problem}; {fix}")
    }
}

impl SchemaCommand {
    pub(crate) fn run(self, session: &Session) -> ExitCode {
        let Verb::Check(check) = self.verb;
        match check.run(session) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("quintet: {}", quintet_suite::explain(&error));
                Exit::Undecided.into()
            }
        }
    }
}

impl Check {
    fn run(&self, session: &Session) -> Result<ExitCode> {
        let here = std::env::current_dir().context("cannot find the current directory")?;
        let root = tree::root(&here)?;
        let current = Tree::on_disk(&root)?;
        let released = match &self.against {
            Some(rev) => Some(Tree::at(&root, rev)?),
            None => None,
        };
        let violations = violations(&current, released.as_ref(), &contract::upcast);
        let code = if violations.is_empty() { Exit::Done.into() } else { Exit::Failed.into() };
        let schemas = current.schemas().count();
        if session.json {
            let report = json!({
                "against": self.against, "schemas": schemas,
                "released": released.as_ref().map(|tree| tree.schemas().count()),
                "violations": violations,
            });
            ui::result(&report.to_string());
        } else if violations.is_empty() {
            ui::result(&self.success(schemas, released.as_ref()));
        } else {
            for violation in &violations {
                ui::result(&violation.to_string());
            }
        }
        Ok(code)
    }

    fn success(&self, schemas: usize, released: Option<&Tree>) -> String {
        let since = match (&self.against, released) {
            (Some(rev), Some(released)) => {
                format!("; all {} of {rev} are as they were released", released.schemas().count())
            }
            _ => String::new(),
        };
        format!("{schemas} schemas agree with examples, types and upcasters{since}")
    }
}

/// All violations, sorted by file.
fn violations(current: &Tree, released: Option<&Tree>, upcast: &Upcast) -> Vec<Violation> {
    let mut violations = drift::check(current, upcast);
    if let Some(released) = released {
        violations.extend(released::check(current, released));
    }
    violations.extend(old_data::check(current, released.unwrap_or(current), upcast));
    violations.sort();
    violations.dedup();
    violations
}

#[cfg(test)]
mod tests {
    use super::tree::Version;
    use super::*;
    use serde_json::Value;
    use std::path::Path;

    fn this_checkout() -> Tree {
        Tree::on_disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
    }

    /// The schemas of this checkout with another text in one file.
    fn with(file: &str, text: &str) -> Tree {
        let mut tree = this_checkout();
        tree.files.insert(file.to_owned(), text.to_owned());
        tree
    }

    fn replaced(file: &str, from: &str, to: &str) -> Tree {
        let text = &this_checkout().files[file];
        assert!(text.contains(from), "{text}");
        with(file, &text.replacen(from, to, 1))
    }

    fn lines(current: &Tree, upcast: &Upcast) -> Vec<String> {
        let mut released = this_checkout();
        released.rev = Some("v0.1".to_owned());
        let found = violations(current, Some(&released), upcast);
        found.iter().map(ToString::to_string).collect()
    }

    /// Asserts that this file breaks this rule, that the report contains `how`, and that no other file breaks a rule.
    fn assert_breaks(current: &Tree, file: &str, rule: &str, how: &str) {
        let lines = lines(current, &contract::upcast);
        let found = lines.iter().find(|line| line.starts_with(&format!("{file}: {rule}: ")));
        let found = found.unwrap_or_else(|| panic!("no {rule} of {file} in {lines:#?}"));
        assert!(found.contains(how), "{found}");
        assert!(lines.iter().all(|line| line.starts_with(file)), "{lines:#?}");
    }

    #[test]
    fn the_schemas_of_this_checkout_keep_the_rules() {
        assert_eq!(lines(&this_checkout(), &contract::upcast), [""; 0]);
        assert_eq!(violations(&this_checkout(), None, &contract::upcast), []);
    }

    #[test]
    fn a_released_schema_may_neither_change_nor_go() {
        let file = "schemas/order_placed/v1.json";
        let changed = replaced(file, "100000000", "100");
        let at = "`/properties/items/items/properties/quantity/maximum` is not as v0.1 has it";
        assert_breaks(&changed, file, "released-changed", at);
        assert_breaks(
            &changed,
            file,
            "released-changed",
            "git checkout v0.1 -- schemas/order_plac",
        );
        assert_breaks(&changed, file, "released-changed", "in v3.json, with an upcaster");

        let mut removed = this_checkout();
        removed.files.remove("schemas/stock_reserved/v1.json");
        removed.files.remove("schemas/stock_reserved/v1.example.json");
        let file = "schemas/stock_reserved/v1.json";
        assert_breaks(&removed, file, "released-removed", "v0.1 has it");
    }

    #[test]
    fn a_new_version_must_accept_data_of_the_version_before() {
        let next = "schemas/stock_reserved/v2.json";
        let v1 = &this_checkout().files["schemas/stock_reserved/v1.json"];
        let v2 = v1.replace(":v1\"", ":v2\"");
        let mut tree = with(next, &v2.replacen("\"order_id\"", "\"order_id\", \"shelf\"", 1));
        let example = this_checkout().files["schemas/stock_reserved/v1.example.json"].clone();
        tree.files.insert("schemas/stock_reserved/v2.example.json".to_owned(), example);
        assert_breaks(&tree, next, "not-listed", "with an upcaster");
        assert_breaks(&tree, next, "old-data", "the example of v1 does not become v2");
        assert_breaks(&tree, next, "old-data", "shelf");
    }

    #[test]
    fn an_upcaster_must_take_all_data_of_its_version() {
        let refuses_large_totals = |version: Version<'_>, data: &Value| {
            let cents = data["total_cents"].as_i64();
            if cents.is_some_and(|cents| cents > 1_000_000) {
                return Err("too much".to_owned());
            }
            contract::upcast(version, data)
        };
        let lines = lines(&this_checkout(), &refuses_large_totals);
        let [line] = &*lines else { panic!("{lines:#?}") };
        let start =
            "schemas/order_placed/v2.json: old-data: data that follows v1 is refused (too much)";
        assert!(line.starts_with(start), "{line}");
        // The failing data was shrunk to the smallest total that is refused.
        assert!(line.contains("\"total_cents\":1000001"), "{line}");
    }

    #[test]
    fn a_type_that_drops_a_property_is_found() {
        let drops_tracking = |version: Version<'_>, data: &Value| {
            let mut written = contract::upcast(version, data)?;
            if version.folder == "shipment_dispatched" {
                written.as_object_mut().map(|written| written.remove("tracking"));
            }
            Ok(written)
        };
        let lines = lines(&this_checkout(), &drops_tracking);
        let drift = "schemas/shipment_dispatched/v1.example.json: types-drift: ";
        assert!(lines.iter().any(|line| line.starts_with(drift)), "{lines:#?}");
        let refuse = "schemas/shipment_dispatched/v1.json: types-refuse: ";
        assert!(lines.iter().any(|line| line.starts_with(refuse)), "{lines:#?}");
    }

    #[test]
    fn each_rule_of_the_folder_is_checked() {
        for (file, text, rule, how) in [
            ("schemas/order_placed/notes.txt", "", "stray-file", "belongs to no version"),
            ("schemas/order_placed/v4.json", "{}", "version-gap", "there is no v3"),
            ("schemas/order_lost/v1.json", "{}", "example-missing", "no example"),
            ("schemas/order_lost/v1.example.json", "{}", "schema-missing", "has no schema"),
            ("schemas/payment_voided/v1.json", "{", "no-schema", "not JSON"),
            ("schemas/payment_voided/v1.example.json", "{}", "other-build", "built with"),
        ] {
            assert_breaks(&with(file, text), file, rule, how);
        }
        let file = "schemas/payment_voided/v1.json";
        for (from, to, rule, how) in [
            ("\"object\"", "\"thing\"", "no-schema", "is no JSON Schema"),
            (":v1\"", ":v2\"", "identity", "its $id is"),
            ("\"type\"", "\"additionalProperties\": false, \"type\"", "closed", "refuses properti"),
        ] {
            assert_breaks(&replaced(file, from, to), file, rule, how);
        }
    }
}
