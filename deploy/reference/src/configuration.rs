//! `configuration.md`, from the commented settings files.

use anyhow::{Context, Result};
use service::Description;
use toml_edit::{Decor, DocumentMut, Item, Table};

use crate::markdown::{code, filled, one_line, table};

const HEADS: [&str; 5] = ["setting", "type", "default", "meaning", "environment variable"];
/// Stands for the name of a service in the variables of settings that all have.
const ANY_SERVICE: &str = "QUINTET_{SERVICE}__";

/// A table of a settings file.
struct Section {
    name: String,
    meaning: String,
    settings: Vec<Setting>,
}

/// A setting, dotted.
struct Setting {
    name: String,
    kind: String,
    default: String,
    meaning: String,
}

pub(crate) fn page(services: &[Description]) -> Result<String> {
    let first = services.first().context("there is no service")?;
    let shared = first.shared_settings.replace(first.name, "{service}");
    let mut own = String::new();
    for service in services {
        own.push_str(&format!("## {}\n\n", service.name));
        own.push_str(&sections(service.own_settings, &service.variables)?);
    }
    Ok(filled(
        include_str!("../text/configuration.md"),
        &[("shared", sections(&shared, ANY_SERVICE)?), ("own", own)],
    ))
}

fn sections(text: &str, variables: &str) -> Result<String> {
    let document: DocumentMut = text.parse()?;
    let mut top = Section { name: String::new(), meaning: String::new(), settings: Vec::new() };
    let mut sections = Vec::new();
    for (name, item) in document.iter() {
        match item {
            Item::Table(section) => sections.push(of_table(name, section)?),
            _ => top.settings.push(of_key(&document, "", name)?),
        }
    }
    let all = std::iter::once(top).chain(sections);
    Ok(all.map(|section| section.text(variables)).collect())
}

impl Section {
    fn text(&self, variables: &str) -> String {
        let mut text = String::new();
        if !self.name.is_empty() {
            text.push_str(&format!("### [{}]\n\n", self.name));
        }
        if !self.meaning.is_empty() {
            text.push_str(&format!("{}\n\n", self.meaning));
        }
        if !self.settings.is_empty() {
            let rows = self.settings.iter().map(|setting| setting.row(variables));
            text.push_str(&format!("{}\n", table(&HEADS, rows)));
        }
        text
    }
}

impl Setting {
    fn row(&self, variables: &str) -> Vec<String> {
        let variable = self.name.to_uppercase().replace('.', "__");
        vec![
            code(&self.name),
            self.kind.clone(),
            code(&self.default),
            self.meaning.clone(),
            code(&format!("{variables}{variable}")),
        ]
    }
}

fn of_table(name: &str, section: &Table) -> Result<Section> {
    let settings = section.iter().map(|(key, _)| of_key(section, &format!("{name}."), key));
    Ok(Section {
        name: name.to_owned(),
        meaning: comment(section.decor()).with_context(|| format!("[{name}]"))?,
        settings: settings.collect::<Result<_>>()?,
    })
}

fn of_key(section: &Table, prefix: &str, key: &str) -> Result<Setting> {
    let name = format!("{prefix}{key}");
    let value = section.get(key).and_then(Item::as_value).context("is not a value");
    let value = value.with_context(|| name.clone())?;
    let decor = section.key(key).map(toml_edit::Key::leaf_decor);
    let meaning = decor.map_or_else(|| Ok(String::new()), comment);
    Ok(Setting {
        kind: kind(key, value).to_owned(),
        default: value.clone().decorated("", "").to_string(),
        meaning: meaning.with_context(|| name.clone())?,
        name,
    })
}

/// The comment above: the last block of it, since a file begins with one of its own.
fn comment(decor: &Decor) -> Result<String> {
    let above = decor.prefix().and_then(|it| it.as_str()).unwrap_or_default();
    let block = above.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = block.lines().filter_map(|line| line.trim().strip_prefix('#')).collect();
    let text = one_line(&lines.join(" "));
    anyhow::ensure!(!text.is_empty(), "has no comment above it that says what it means");
    Ok(text)
}

/// What a setting takes, with its unit.
fn kind(key: &str, value: &toml_edit::Value) -> &'static str {
    match value {
        toml_edit::Value::Integer(_) if key.ends_with("_mib") => "whole number of MiB",
        toml_edit::Value::Integer(_) => "whole number",
        toml_edit::Value::Float(_) => "number",
        toml_edit::Value::Boolean(_) => "`true` or `false`",
        toml_edit::Value::Array(_) => "list of texts",
        value if value.as_str().is_some_and(is_duration) => "duration",
        _ => "text",
    }
}

fn is_duration(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < text.len() && ["ms", "s", "m", "h"].contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_explained_by_the_comment_above_it() {
        let file = "# The file.\n\n# The port.\nport = 1\n\n# What waits.\n[queue]\n# How long,\n# at most.\nlimit = \"5s\"\n";
        let text = sections(file, "X__").unwrap();
        assert!(text.contains("| `port` | whole number | `1` | The port. | `X__PORT` |"), "{text}");
        assert!(text.contains("### [queue]\n\nWhat waits.\n"), "{text}");
        let row =
            "| `queue.limit` | duration | `\"5s\"` | How long, at most. | `X__QUEUE__LIMIT` |";
        assert!(text.contains(row), "{text}");
        let bare = sections("# The table.\n[queue]\nlimit = 1\n", "X__").unwrap_err();
        assert_eq!(
            format!("{bare:#}"),
            "queue.limit: has no comment above it that says what it means"
        );
    }
}
