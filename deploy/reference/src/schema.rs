//! JSON Schemas as rows of a table.

use serde_json::Value;

use crate::markdown::{code, one_line, sentence};

/// Deeper fields are left to the schema itself.
const DEEPEST: usize = 6;
/// A longer pattern is not worth reading; the description says it in words.
const LONGEST_PATTERN: usize = 60;

/// A schema within the document that its `$ref`s are about.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'d> {
    document: &'d Value,
    schema: &'d Value,
}

/// What a field of an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Such as `items[].sku`.
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) meaning: String,
}

impl Field {
    /// Name, type, whether it has to be there, and what it means.
    pub(crate) fn row(&self) -> Vec<String> {
        let required = if self.required { "yes" } else { "no" };
        vec![code(&self.path), self.kind.clone(), required.to_owned(), self.meaning.clone()]
    }
}

/// The heads of [`Field::row`].
pub(crate) const HEADS: [&str; 4] = ["field", "type", "always there", "meaning"];

impl<'d> Schema<'d> {
    pub(crate) fn new(document: &'d Value, schema: &'d Value) -> Self {
        Self { document, schema }
    }

    fn of(self, schema: &'d Value) -> Self {
        Self { schema, ..self }
    }

    /// The schema behind references, and behind a union with null.
    fn resolved(self) -> Self {
        if let Some(target) = self.schema["$ref"].as_str() {
            let found = target.strip_prefix('#').and_then(|at| self.document.pointer(at));
            return found.map_or(self, |schema| self.of(schema).resolved());
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            let mut parts = self.schema[key].as_array().into_iter().flatten();
            let first = parts.find(|part| part["type"] != "null");
            if let Some(first) = first
                && parts.all(|part| part["type"] == "null")
            {
                return self.of(first).resolved();
            }
        }
        self
    }

    fn description(self) -> String {
        let of = |schema: &'d Value| schema["description"].as_str();
        let parts = ["allOf", "oneOf", "anyOf"].into_iter();
        let mut parts = parts.flat_map(|key| self.schema[key].as_array().into_iter().flatten());
        let own = of(self.schema).or_else(|| parts.find_map(of));
        let text = own.or_else(|| of(self.resolved().schema));
        sentence(&one_line(text.unwrap_or_default()))
    }

    /// Whether it may be null.
    fn is_nullable(self) -> bool {
        let null = |part: &Value| part["type"] == "null";
        let listed =
            self.schema["type"].as_array().is_some_and(|it| it.iter().any(|t| t == "null"));
        let parts = ["oneOf", "anyOf"].iter().filter_map(|key| self.schema[*key].as_array());
        listed || parts.flatten().any(null)
    }

    /// In words: `whole number, 1 to 1000`.
    pub(crate) fn kind(self) -> String {
        let kind = self.resolved().own_kind();
        if self.is_nullable() { format!("{kind} or null") } else { kind }
    }

    fn own_kind(self) -> String {
        let schema = self.schema;
        if !schema["const"].is_null() {
            return format!("`{}`", plain(&schema["const"]));
        }
        let values = self.values();
        if !values.is_empty() {
            return values.iter().map(|it| code(it)).collect::<Vec<_>>().join(", ");
        }
        let named = schema["type"].as_str().or_else(|| {
            schema["type"].as_array()?.iter().filter_map(Value::as_str).find(|it| *it != "null")
        });
        match named.unwrap_or_default() {
            "string" => text_kind(schema),
            "integer" => format!("whole number{}", range(schema)),
            "number" => format!("number{}", range(schema)),
            "boolean" => "true or false".to_owned(),
            "array" if schema["prefixItems"].is_array() => {
                let parts = schema["prefixItems"].as_array().into_iter().flatten();
                let parts: Vec<String> = parts.map(|part| self.of(part).kind()).collect();
                format!("[{}]", parts.join(", "))
            }
            "array" => {
                let (least, most) = (&schema["minItems"], &schema["maxItems"]);
                format!("list of {}{}", self.item().kind_of_item(), bounds(least, most))
            }
            "object" => "object".to_owned(),
            _ if schema["properties"].is_object() || schema["allOf"].is_array() => {
                "object".to_owned()
            }
            _ => "any JSON".to_owned(),
        }
    }

    fn kind_of_item(self) -> String {
        match self.kind().as_str() {
            "object" => "objects".to_owned(),
            "text" => "texts".to_owned(),
            other => other.to_owned(),
        }
    }

    /// The texts that it can be, if they are listed.
    fn values(self) -> Vec<String> {
        if let Some(listed) = self.schema["enum"].as_array() {
            return listed.iter().map(plain).collect();
        }
        let parts = self.schema["oneOf"].as_array().into_iter().flatten();
        let value = |part: &'d Value| match (&part["const"], &part["enum"]) {
            (Value::Null, Value::Array(one)) => one.first().map(plain),
            (Value::Null, _) => None,
            (value, _) => Some(plain(value)),
        };
        parts.map(value).collect::<Option<_>>().unwrap_or_default()
    }

    fn item(self) -> Self {
        self.of(&self.schema["items"])
    }

    /// Its fields and theirs, each object before its parts.
    pub(crate) fn fields(self) -> Vec<Field> {
        let mut fields = Vec::new();
        self.resolved().collect("", DEEPEST, &mut fields);
        fields
    }

    fn collect(self, prefix: &str, depth: usize, fields: &mut Vec<Field>) {
        if depth == 0 {
            return;
        }
        if self.schema["items"].is_object() {
            return self.item().resolved().collect(&format!("{prefix}[]"), depth, fields);
        }
        for part in self.schema["allOf"].as_array().into_iter().flatten() {
            self.of(part).resolved().collect(prefix, depth, fields);
        }
        let required = self.schema["required"].as_array();
        for (name, schema) in self.schema["properties"].as_object().into_iter().flatten() {
            let field = self.of(schema);
            let dot = if prefix.is_empty() { "" } else { "." };
            let path = format!("{prefix}{dot}{name}");
            fields.push(Field {
                path: path.clone(),
                kind: field.kind(),
                required: required.is_some_and(|all| all.iter().any(|it| it == name)),
                meaning: field.description(),
            });
            field.resolved().collect(&path, depth - 1, fields);
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn text_kind(schema: &Value) -> String {
    let kind = match schema["format"].as_str() {
        Some("uuid") => return "UUID".to_owned(),
        Some("date-time") => return "date and time (RFC 3339)".to_owned(),
        Some("email") => "e-mail address",
        Some("uri") => "URL",
        _ => "text",
    };
    if let Some(pattern) = schema["pattern"].as_str().filter(|it| it.len() <= LONGEST_PATTERN) {
        return format!("{kind} like `{pattern}`");
    }
    let (least, most) = (&schema["minLength"], &schema["maxLength"]);
    match (least.as_u64().unwrap_or(0), most.as_u64()) {
        (0, None) => kind.to_owned(),
        (1, None) => format!("{kind}, not empty"),
        (least, None) => format!("{kind}, {least} characters or more"),
        (0, Some(most)) => format!("{kind}, at most {most} characters"),
        (least, Some(most)) => format!("{kind}, {least} to {most} characters"),
    }
}

fn range(schema: &Value) -> String {
    bounds(&schema["minimum"], &schema["maximum"])
}

/// Where it is the largest number that 64 bits hold, there is no bound worth telling.
fn bounds(least: &Value, most: &Value) -> String {
    let most = Some(most).filter(|it| !it.is_null() && it.as_i64() != Some(i64::MAX));
    match (least.is_null(), most) {
        (true, None) => String::new(),
        (true, Some(most)) => format!(", at most {most}"),
        (false, None) => format!(", {least} or more"),
        (false, Some(most)) => format!(", {least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_fields_follow_their_object() {
        let document = json!({
            "type": "object", "required": ["items"],
            "properties": {
                "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}, "description": "what was ordered"},
                "note": {"oneOf": [{"type": "null"}, {"type": "string", "maxLength": 9}]},
            },
            "$defs": {"item": {"type": "object", "properties": {"quantity": {"type": "integer", "minimum": 1, "maximum": 5}}}},
        });
        let fields = Schema::new(&document, &document).fields();
        let rows: Vec<String> = fields.iter().map(|it| it.row().join("|")).collect();
        assert_eq!(
            rows,
            [
                "`items`|list of objects, 1 or more|yes|What was ordered.",
                "`items[].quantity`|whole number, 1 to 5|no|",
                "`note`|text, at most 9 characters or null|no|",
            ]
        );
    }
}
