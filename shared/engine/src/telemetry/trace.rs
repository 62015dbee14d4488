//! Converts between [`Trace`], which travels as text, and `OpenTelemetry`'s context.
//!
//! Spans are opened only for traces that are sampled. Their target is [`TARGET`], so that they go to the exporter, and
//! not into every line of the log.

use std::str::FromStr;

use event::Trace;
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that are exported.
pub const TARGET: &str = "quintet::trace";

/// A span with the trace that goes on from it.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The span; [`Span::none`] if no subscriber collects it.
    pub span: Span,
    /// The trace for what follows: the span's, or the parent's if there is no span.
    pub trace: Trace,
}

impl Traced {
    /// Opens a span under `parent`, if that is sampled and a subscriber collects spans.
    pub fn under(parent: &Trace, open: impl FnOnce() -> Span) -> Self {
        let unseen = || Self { span: Span::none(), trace: parent.clone() };
        if !parent.is_sampled() {
            return unseen();
        }
        let span = open();
        let followed = !span.is_disabled() && span.set_parent(context(parent)).is_ok();
        followed.then(|| Self::of(span)).flatten().unwrap_or_else(unseen)
    }

    /// An open span with its trace; `None` if no subscriber collects it.
    #[must_use]
    pub fn of(span: Span) -> Option<Self> {
        let trace = from_context(span.context().span().span_context())?;
        Some(Self { span, trace })
    }
}

/// Links a span with another trace, if both are known.
pub fn link(span: &Span, to: &Trace) {
    if let Some(context) = span_context(to) {
        span.add_link(context);
    }
}

/// The trace's context as a remote parent; `None` for no trace.
fn span_context(trace: &Trace) -> Option<SpanContext> {
    let mut parts = trace.traceparent.as_deref()?.split('-').skip(1);
    let (trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let state = trace.tracestate.as_deref().map(TraceState::from_str);
    Some(SpanContext::new(
        TraceId::from_hex(trace_id).ok()?,
        SpanId::from_hex(span_id).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        state.and_then(Result::ok).unwrap_or_default(),
    ))
}

fn context(trace: &Trace) -> Context {
    span_context(trace)
        .map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent))
}

fn from_context(context: &SpanContext) -> Option<Trace> {
    if !context.is_valid() {
        return None;
    }
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    let flags = context.trace_flags().to_u8();
    let state = context.trace_state().header();
    Some(Trace {
        traceparent: Some(format!("00-{trace_id}-{span_id}-{flags:02x}")),
        tracestate: Some(state).filter(|state| !state.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_survives_the_conversion_to_a_context_and_back() {
        let trace = Trace::parse(Some(PARENT), Some("vendor=a,other=b"));
        assert_eq!(from_context(&span_context(&trace).unwrap()), Some(trace));
        assert_eq!(span_context(&Trace::default()), None);
    }

    #[test]
    fn a_trace_that_no_subscriber_collects_is_passed_on_unchanged() {
        let sampled = Trace::parse(Some(PARENT), None);
        let traced = Traced::under(&sampled, || tracing::info_span!(target: TARGET, "something"));
        assert_eq!(traced.trace, sampled);
        assert!(traced.span.is_none());
        assert!(Traced::of(Span::none()).is_none());
    }

    #[test]
    fn no_span_is_opened_for_a_trace_that_is_not_sampled() {
        let parent = Trace::parse(Some(&PARENT.replace("-01", "-00")), None);
        let traced = Traced::under(&parent, || panic!("a span was opened"));
        assert_eq!(traced.trace, parent);
    }
}
