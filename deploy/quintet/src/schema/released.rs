//! Checks that released schemas stay as they are.

use super::Violation;
use super::tree::Tree;
use serde_json::Value;

/// Reports released schemas that changed or are missing.
pub(super) fn check(current: &Tree, released: &Tree) -> Vec<Violation> {
    let rev = released.rev.as_deref().unwrap_or("HEAD");
    let mut violations = Vec::new();
    for version in released.schemas() {
        let file = version.schema();
        let restore = format!("git checkout {rev} -- {file}");
        let next = current.latest(version.folder).map_or(1, |latest| latest.number) + 1;
        let Some(text) = current.files.get(&file) else {
            violations.push(Violation {
                file,
                rule: "released-removed",
                problem: format!("{rev} has it, and events of this version may still be read"),
                fix: format!("restore it: {restore}"),
            });
            continue;
        };
        if let Some(pointer) = change(&released.files[&file], text) {
            violations.push(Violation {
                file,
                rule: "released-changed",
                problem: format!("`{pointer}` is not as {rev} has it"),
                fix: format!(
                    "restore it ({restore}) and write the change in v{next}.json, with an upcaster \
                     in schemas/src/upcast.rs"
                ),
            });
        }
    }
    violations
}

/// The JSON pointer to the first difference between two texts of a schema. White space and the order of properties do not
/// count.
fn change(before: &str, after: &str) -> Option<String> {
    let json = |text| serde_json::from_str::<Value>(text);
    match (json(before), json(after)) {
        (Ok(before), Ok(after)) => difference(&before, &after, ""),
        _ => (before != after).then(String::new),
    }
}

fn difference(before: &Value, after: &Value, at: &str) -> Option<String> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| at.to_owned());
    };
    let names = old.keys().chain(new.keys());
    names.into_iter().find_map(|name| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) => difference(old, new, &format!("{at}/{name}")),
        _ => Some(format!("{at}/{name}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_and_layout_does_not_count() {
        let before = r#"{"type": "object", "properties": {"a": {"minimum": 1}}}"#;
        for (after, at) in [
            (r#"{"properties":{"a":{"minimum":1}},"type":"object"}"#, None),
            (
                r#"{"type": "object", "properties": {"a": {"minimum": 2}}}"#,
                Some("/properties/a/minimum"),
            ),
            (
                r#"{"type": "object", "properties": {"a": {"minimum": 1}, "b": {}}}"#,
                Some("/properties/b"),
            ),
            (r#"{"properties": {"a": {"minimum": 1}}}"#, Some("/type")),
            ("{", Some("")),
        ] {
            assert_eq!(change(before, after).as_deref(), at, "{after}");
        }
    }
}
