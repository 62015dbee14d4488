//! The spans of one trace, and what must hold between them.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span as Exported, span::SpanKind, status::StatusCode},
};

/// A span as far as the scenarios look at it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// `order` for `quintet-order`.
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent: String,
    pub(crate) failed: bool,
    /// What it says of the process.
    resource: BTreeMap<String, Said>,
    attributes: BTreeMap<String, Said>,
    /// The traces that it is linked with.
    pub(crate) links: BTreeSet<String>,
}

/// An attribute's value.
#[derive(Clone, Debug)]
struct Said {
    text: String,
    /// Its type.
    kind: &'static str,
}

impl Span {
    pub(crate) fn all(request: ExportTraceServiceRequest) -> Vec<Self> {
        let mut spans = Vec::new();
        for of_service in request.resource_spans {
            let resource = attributes(of_service.resource.unwrap_or_default().attributes);
            let exported = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(exported.map(|span| Self::of(&resource, span)));
        }
        spans
    }

    fn of(resource: &BTreeMap<String, Said>, span: Exported) -> Self {
        let name = resource.get("service.name").map_or("", |name| &name.text);
        let failed = span.status.as_ref().is_some_and(|s| s.code() == StatusCode::Error);
        Self {
            service: name.trim_start_matches("quintet-").to_owned(),
            resource: resource.clone(),
            kind: span.kind(),
            trace_id: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            failed,
            attributes: attributes(span.attributes),
            links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
            name: span.name,
        }
    }

    /// An attribute; empty if there is none of this name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", |said| &said.text)
    }

    /// What it says of the process; empty if it does not.
    pub(crate) fn process(&self, name: &str) -> &str {
        self.resource.get(name).map_or("", |said| &said.text)
    }

    /// Service, name, and the event that it is about.
    pub(crate) fn title(&self) -> String {
        let text =
            format!("{}: {} {}", self.service, self.name, self.get("cloudevents.event_type"));
        text.trim_end().to_owned()
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.get("quintet.duplicate") == "true"
    }

    fn is_attempt(&self) -> bool {
        !self.get("quintet.effect").is_empty()
    }
}

/// How often what happened, without duplicates and batches.
pub(crate) fn titles(spans: &[Span]) -> BTreeMap<String, usize> {
    let mut titles = BTreeMap::new();
    for span in spans.iter().filter(|span| !span.is_duplicate()) {
        *titles.entry(span.title()).or_default() += 1;
    }
    titles
}

/// Each span has the parent that it should have, and only the request has none.
pub(crate) fn assert_parents(spans: &[Span]) {
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (&*span.id, span)).collect();
    for span in spans {
        let parent = by_id.get(&*span.parent).copied();
        let Some(parent) = parent else {
            assert_eq!((&*span.title(), &*span.parent), ("order: POST /orders", ""), "{span:?}");
            continue;
        };
        let here = parent.service == span.service;
        let right = match span.kind {
            SpanKind::Consumer => {
                let event = "cloudevents.event_id";
                parent.kind == SpanKind::Producer && parent.get(event) == span.get(event)
            }
            SpanKind::Producer => here && (parent.kind == SpanKind::Consumer || is_inner(parent)),
            SpanKind::Client => here && parent.is_attempt(),
            // A refund follows from the outcome of a charge that came too late.
            _ if span.is_attempt() => {
                here && (parent.kind == SpanKind::Consumer || parent.name == "outcome")
            }
            _ if span.name == "outcome" => here && parent.is_attempt(),
            _ if span.name == "command" => here && parent.kind == SpanKind::Server,
            _ => false,
        };
        assert!(right, "{} hangs under {}", span.title(), parent.title());
    }
}

fn is_inner(span: &Span) -> bool {
    ["command", "outcome"].contains(&&*span.name)
}

/// An attribute has the same type wherever it stands: what collects spans keeps a column for each.
pub(crate) fn assert_types(spans: &[Span]) {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    for span in spans {
        for (name, said) in &span.attributes {
            let kind = *kinds.entry(name).or_insert(said.kind);
            assert_eq!(kind, said.kind, "{name} of {}", span.title());
        }
    }
    assert_eq!(kinds.get("quintet.attempt"), Some(&"integer"));
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, Said> {
    let said = |value| match value {
        Value::StringValue(text) => Said { text, kind: "text" },
        Value::BoolValue(yes) => Said { text: yes.to_string(), kind: "boolean" },
        Value::IntValue(number) => Said { text: number.to_string(), kind: "integer" },
        other => Said { text: format!("{other:?}"), kind: "other" },
    };
    let pairs = attributes.into_iter();
    let pairs = pairs.filter_map(|pair| Some((pair.key, said(pair.value?.value?))));
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
