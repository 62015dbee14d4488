//! `http.md`, from the OpenAPI documents that the services serve.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use service::{Description, common_answers};

use crate::{
    markdown::{code, filled, one_line, sentence, table},
    schema::{HEADS, Schema},
};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The answers whose fields a section has shown: the table, and the answer that it belongs to.
type Shown = BTreeMap<String, String>;

/// A method of a path.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'d> {
    document: &'d Value,
    pub(crate) method: &'static str,
    pub(crate) path: &'d str,
    details: &'d Value,
}

/// The operations of an OpenAPI document, in its order.
pub(crate) fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        METHODS.into_iter().filter_map(move |method| {
            let details = item.get(method)?;
            Some(Operation { document, method, path, details })
        })
    });
    all.collect()
}

pub(crate) fn page(services: &[Description]) -> Result<String> {
    let public: Vec<&Value> = services.iter().map(|it| &it.public).collect();
    let admin: Vec<&Value> = services.iter().map(|it| &it.admin).collect();
    let mut own = String::new();
    for (nth, service) in services.iter().enumerate() {
        let routes = [(&public, ""), (&admin, ", admin")];
        for (documents, listener) in routes {
            let text = text_of(documents, nth, false);
            if !text.is_empty() {
                own.push_str(&format!("## {}{listener}\n\n{text}", service.name));
            }
        }
    }
    let replacements = [
        ("addresses", addresses(services)?),
        ("own", own),
        ("public", text_of(&public, 0, true)),
        ("admin", text_of(&admin, 0, true)),
    ];
    Ok(filled(include_str!("../text/http.md"), &replacements))
}

/// A row for each service, with the listeners of its default settings.
fn addresses(services: &[Description]) -> Result<String> {
    let row = |service: &Description| -> Result<String> {
        let settings: toml_edit::DocumentMut = service.own_settings.parse()?;
        let [public, admin] = ["listen", "admin_listen"].map(|key| {
            let address = settings.get(key).and_then(|it| it.as_str());
            address.map(code).with_context(|| format!("{}: {key} is missing", service.name))
        });
        Ok(format!("| {} | {} | {} |\n", service.name, public?, admin?))
    };
    services.iter().map(row).collect()
}

/// The operations of the nth document that all documents have, or that not all have.
fn text_of(documents: &[&Value], nth: usize, shared: bool) -> String {
    let is_shared = |operation: &Operation<'_>| {
        documents.iter().all(|document| document["paths"].get(operation.path).is_some())
    };
    let all = operations(documents[nth]).into_iter();
    let mut shown = Shown::new();
    let texts = all.filter(|operation| is_shared(operation) == shared);
    texts.map(|operation| operation.text(&mut shown)).collect()
}

impl Operation<'_> {
    /// How it is asked, such as `POST /orders`.
    pub(crate) fn name(self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn text(self, shown: &mut Shown) -> String {
        let mut text = format!("### {}\n\n", code(&self.name()));
        for key in ["summary", "description"] {
            if let Some(said) = self.details[key].as_str() {
                text.push_str(&format!("{}\n\n", sentence(&one_line(said))));
            }
        }
        let parameters = self.details["parameters"].as_array();
        if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
            let rows = parameters.iter().map(|parameter| self.parameter(parameter));
            let heads = ["parameter", "where", "type", "required", "meaning"];
            text.push_str(&format!("{}\n", table(&heads, rows)));
        }
        text.push_str(&self.request());
        text.push_str(&self.responses(shown));
        text
    }

    fn schema<'d>(&'d self, schema: &'d Value) -> Schema<'d> {
        Schema::new(self.document, schema)
    }

    fn parameter(&self, parameter: &Value) -> Vec<String> {
        let plain = |key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
        let schema = &parameter["schema"];
        let default = &schema["default"];
        let default =
            if default.is_null() { String::new() } else { format!(" The default is `{default}`.") };
        vec![
            code(&plain("name")),
            plain("in"),
            self.schema(schema).kind(),
            if parameter["required"] == true { "yes" } else { "no" }.to_owned(),
            format!("{}{default}", sentence(&one_line(&plain("description")))),
        ]
    }

    fn request(&self) -> String {
        let content = self.details["requestBody"]["content"].as_object();
        let bodies = content.into_iter().flatten().map(|(media, content)| {
            let heads = ["field", "type", "required", "meaning"];
            let fields = self.schema(&content["schema"]).fields();
            let fields = table(&heads, fields.iter().map(crate::schema::Field::row));
            let example = example(&content["example"]);
            let example =
                if example.is_empty() { example } else { format!("For example:\n\n{example}") };
            format!("The request's body, `{media}`:\n\n{fields}\n{example}")
        });
        bodies.collect()
    }

    fn responses(&self, shown: &mut Shown) -> String {
        let own = self.all_responses().filter(|(status, response)| !is_common(status, response));
        let rows = own.clone().map(|(status, response)| {
            let bodies = response["content"].as_object().into_iter().flatten();
            let bodies: Vec<String> = bodies.map(|(media, _)| code(media)).collect();
            vec![status.clone(), meaning(response), bodies.join(", ")]
        });
        let mut text = format!("{}\n", table(&["status", "meaning", "body"], rows));
        let common = self.all_responses().filter(|(status, response)| is_common(status, response));
        let common: Vec<&str> = common.map(|(status, _)| status.as_str()).collect();
        if !common.is_empty() {
            let listed = common.join(", ");
            text.push_str(&format!("Also, as [any route](errors.md) may: {listed}.\n\n"));
        }
        for (status, response) in own.filter(|(status, _)| status.as_str() < "400") {
            for (media, content) in response["content"].as_object().into_iter().flatten() {
                let fields = self.schema(&content["schema"]).fields();
                if !fields.is_empty() {
                    let fields = table(&HEADS, fields.iter().map(crate::schema::Field::row));
                    let this = format!("{status} of `{}`", self.name());
                    text.push_str(&match shown.get(&fields) {
                        Some(first) => {
                            format!("The body of {status} has the fields of that of {first}.\n\n")
                        }
                        None => format!("The body of {status}, `{media}`:\n\n{fields}\n"),
                    });
                    shown.entry(fields).or_insert(this);
                }
                let example = example(&content["example"]);
                if !example.is_empty() {
                    text.push_str(&format!("For example, as `{media}`:\n\n{example}"));
                }
            }
        }
        text
    }

    fn all_responses(&self) -> impl Iterator<Item = (&String, &Value)> + Clone {
        self.details["responses"].as_object().into_iter().flatten()
    }

    /// Status and meaning of the failures that not every route has.
    pub(crate) fn own_failures(&self) -> Vec<(String, String)> {
        let all = self
            .all_responses()
            .filter(|(status, response)| status.as_str() >= "400" && !is_common(status, response));
        all.map(|(status, response)| (status.clone(), meaning(response))).collect()
    }
}

fn meaning(response: &Value) -> String {
    sentence(&one_line(response["description"].as_str().unwrap_or_default()))
}

/// Whether every route of its kind may answer so.
fn is_common(status: &str, response: &Value) -> bool {
    let described = response["description"].as_str().unwrap_or_default();
    common_answers().any(|(common, text)| common == status && text == described)
}

fn example(example: &Value) -> String {
    match example {
        Value::Null => String::new(),
        Value::String(text) => format!("```text\n{}\n```\n\n", text.trim_end()),
        json => format!("```json\n{json:#}\n```\n\n"),
    }
}
