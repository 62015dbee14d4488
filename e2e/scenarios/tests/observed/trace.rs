//! The spans of one trace, and the rules for their parents and attributes.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span as Exported, span::SpanKind, status::StatusCode},
};

/// The parts of a span that the scenarios check.
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
    /// The attributes of the process.
    resource: BTreeMap<String, AttributeValue>,
    attributes: BTreeMap<String, AttributeValue>,
    /// The ids of the traces that it is linked with.
    pub(crate) links: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct AttributeValue {
    text: String,
    value_type: &'static str,
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

    fn of(resource: &BTreeMap<String, AttributeValue>, span: Exported) -> Self {
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

    /// The value of an attribute; empty if there is none of this name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", |value| &value.text)
    }

    /// The value of an attribute of the process; empty if there is none of this name.
    pub(crate) fn process(&self, name: &str) -> &str {
        self.resource.get(name).map_or("", |value| &value.text)
    }

    /// The service, the span's name, and the type of the event that it is about.
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

/// How often each title occurs. Spans of duplicates are left out.
pub(crate) fn titles(spans: &[Span]) -> BTreeMap<String, usize> {
    let mut titles = BTreeMap::new();
    for span in spans.iter().filter(|span| !span.is_duplicate()) {
        *titles.entry(span.title()).or_default() += 1;
    }
    titles
}

/// Asserts that each span has a parent of the right kind, and that only the request that placed the order has none.
pub(crate) fn assert_parents(spans: &[Span]) {
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (&*span.id, span)).collect();
    for span in spans {
        let parent = by_id.get(&*span.parent).copied();
        let Some(parent) = parent else {
            assert_eq!((&*span.title(), &*span.parent), ("order: POST /orders", ""), "{span:?}");
            continue;
        };
        let same_service = parent.service == span.service;
        let right = match span.kind {
            SpanKind::Consumer => {
                let event = "cloudevents.event_id";
                parent.kind == SpanKind::Producer && parent.get(event) == span.get(event)
            }
            SpanKind::Producer => {
                same_service && (parent.kind == SpanKind::Consumer || is_inner(parent))
            }
            SpanKind::Client => same_service && parent.is_attempt(),
            // An event asks for most requests. But a refund may follow from the outcome of a charge that came too late.
            _ if span.is_attempt() => {
                same_service && (parent.kind == SpanKind::Consumer || parent.name == "outcome")
            }
            _ if span.name == "outcome" => same_service && parent.is_attempt(),
            _ if span.name == "command" => same_service && parent.kind == SpanKind::Server,
            _ => false,
        };
        assert!(right, "{} has the wrong parent {}", span.title(), parent.title());
    }
}

fn is_inner(span: &Span) -> bool {
    ["command", "outcome"].contains(&&*span.name)
}

/// Asserts that an attribute has the same type in all spans. Stores of traces keep a typed column for each attribute.
pub(crate) fn assert_types(spans: &[Span]) {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    for span in spans {
        for (name, value) in &span.attributes {
            let first = *types.entry(name).or_insert(value.value_type);
            assert_eq!(first, value.value_type, "{name} of {}", span.title());
        }
    }
    assert_eq!(types.get("quintet.attempt"), Some(&"integer"));
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, AttributeValue> {
    let value = |value| {
        let (text, value_type) = match value {
            Value::StringValue(text) => (text, "text"),
            Value::BoolValue(boolean) => (boolean.to_string(), "boolean"),
            Value::IntValue(number) => (number.to_string(), "integer"),
            other => (format!("{other:?}"), "other"),
        };
        AttributeValue { text, value_type }
    };
    let pairs = attributes.into_iter();
    let pairs = pairs.filter_map(|pair| Some((pair.key, value(pair.value?.value?))));
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
