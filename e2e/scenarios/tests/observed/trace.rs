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
    attributes: BTreeMap<String, String>,
    /// The traces that it is linked with.
    pub(crate) links: BTreeSet<String>,
}

impl Span {
    pub(crate) fn all(request: ExportTraceServiceRequest) -> Vec<Self> {
        let mut spans = Vec::new();
        for of_service in request.resource_spans {
            let resource = attributes(of_service.resource.unwrap_or_default().attributes);
            let name = resource.get("service.name").cloned().unwrap_or_default();
            let service = name.trim_start_matches("quintet-").to_owned();
            let exported = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(exported.map(|span| Self::of(&service, span)));
        }
        spans
    }

    fn of(service: &str, span: Exported) -> Self {
        let failed = span.status.as_ref().is_some_and(|s| s.code() == StatusCode::Error);
        Self {
            service: service.to_owned(),
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
        self.attributes.get(name).map_or("", String::as_str)
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
            _ if span.is_attempt() => here && parent.kind == SpanKind::Consumer,
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

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Value::StringValue(text) => text,
        Value::BoolValue(yes) => yes.to_string(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter();
    let pairs = pairs.filter_map(|pair| Some((pair.key, text(pair.value?.value?))));
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
