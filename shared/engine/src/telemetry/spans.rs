//! The spans of a batch and of an attempt at an effect, named by `OpenTelemetry`'s messaging conventions.

use std::{collections::HashMap, sync::Arc};

use bus::Incoming;
use event::{AggregateKey, Contract, EventId, EventType, Trace};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::trace::{TARGET, Traced};
use crate::{Attempt, BatchError, Effect, Messaging, Origin, Participant, What, Work};

/// The spans of one attempt to apply a batch: one for each input whose trace is sampled. All begin and end with the
/// attempt, because the inputs commit together. Each has the size of the batch and a link to the first span.
#[derive(Debug, Default)]
pub(crate) struct BatchSpans {
    inputs: HashMap<usize, Traced>,
    messaging: Arc<Messaging>,
}

/// What the spans of one attempt have in common.
#[derive(Debug, Clone, Copy)]
struct Batch<'m> {
    inputs: i64,
    /// The number of the attempt, from 1.
    attempt: u32,
    messaging: &'m Messaging,
}

impl BatchSpans {
    /// Opens the spans. `attempt` counts the attempts at this batch, from 1.
    pub(crate) fn open<P: Participant>(
        works: &[Work<P>],
        attempt: u32,
        messaging: &Arc<Messaging>,
    ) -> Self {
        let inputs = i64::try_from(works.len()).unwrap_or(i64::MAX);
        let batch = Batch { inputs, attempt, messaging };
        let mut spans = Self { inputs: HashMap::new(), messaging: Arc::clone(messaging) };
        let mut first: Option<SpanContext> = None;
        for (index, work) in works.iter().enumerate() {
            if !work.input.trace.is_sampled() {
                continue;
            }
            let traced = Traced::under(&work.input.trace, || of_input(work, batch));
            if traced.span.is_none() {
                continue;
            }
            match &first {
                Some(first) => traced.span.add_link(first.clone()),
                None => first = Some(context_of(&traced.span)),
            }
            spans.inputs.insert(index, traced);
        }
        spans
    }

    /// The trace for what follows from an input: that of the input's span, or the input's own if it has no span.
    pub(crate) fn trace<'a>(&'a self, index: usize, input: &'a Trace) -> &'a Trace {
        self.inputs.get(&index).map_or(input, |traced| &traced.trace)
    }

    /// Opens a span for the creation of an event by an input, and returns the trace that the event carries. A failed
    /// optimistic insert applies the batch once more, which leaves two such spans.
    pub(crate) fn made(&self, index: usize, id: EventId, event: &impl Contract) -> Option<Trace> {
        let input = self.inputs.get(&index)?;
        if let Some(aggregate_id) = event.aggregate() {
            // The aggregate of a command is known only now.
            input.span.record("quintet.aggregate_id", aggregate_id.to_string());
        }
        let (kind, topic) = (event.event_type(), event.event_type().topic());
        let messaging = &*self.messaging;
        let span = info_span!(
            target: TARGET,
            parent: &input.span,
            "create",
            otel.name = format!("create {topic}"),
            otel.kind = "producer",
            messaging.system = messaging.system,
            messaging.client.id = messaging.client_id,
            messaging.operation.type = "create",
            messaging.operation.name = "create",
            messaging.destination.name = topic,
            messaging.kafka.message.key = event.key(),
            messaging.message.id = %id,
            server.address = messaging.host,
            server.port = messaging.port.map(i64::from),
            cloudevents.event_id = %id,
            cloudevents.event_type = kind.as_str(),
            quintet.aggregate_id = event.aggregate().map(|id| id.to_string()),
        );
        Traced::of(span).map(|made| made.trace)
    }

    /// Marks the spans of inputs that were not applied. Those set `aside` are parked. The others are duplicates, unless
    /// they are `live`. The indices in `live` are sorted.
    pub(crate) fn duplicates(&self, live: &[usize], aside: &[usize]) {
        for (index, input) in &self.inputs {
            if aside.contains(index) {
                input.span.record("quintet.parked", true);
            } else if live.binary_search(index).is_err() {
                input.span.record("quintet.duplicate", true);
            }
        }
    }

    /// Records on each span that the attempt did not commit.
    pub(crate) fn failed(&self, error: &BatchError) {
        for input in self.inputs.values() {
            input.span.record("otel.status_description", error.to_string());
        }
    }
}

fn of_input<P: Participant>(work: &Work<P>, batch: Batch<'_>) -> Span {
    let what = &work.input.what;
    if let (What::Event(event), Some(record)) = (what, work.origin.record()) {
        return of_record(work, event, record, batch);
    }
    let name = match what {
        What::Event(event) => format!("process {}", event.event_type().topic()),
        What::Command(_) => "command".to_owned(),
        What::Outcome(..) => "outcome".to_owned(),
        What::Alarm(_, alarm) => format!("alarm {}", Into::<&'static str>::into(*alarm)),
    };
    info_span!(
        target: TARGET,
        parent: None,
        "react",
        otel.name = name,
        otel.kind = "internal",
        otel.status_description = Empty,
        messaging.batch.message_count = batch.inputs,
        quintet.aggregate_id = work.input.aggregate().map(|id| id.to_string()),
        quintet.duplicate = Empty,
        quintet.attempt = i64::from(batch.attempt),
    )
}

fn of_record<P: Participant>(
    work: &Work<P>,
    event: &P::Contract,
    record: &Incoming,
    batch: Batch<'_>,
) -> Span {
    let (cause, messaging) = (work.input.cause, batch.messaging);
    let key = (!record.key.is_empty()).then(|| String::from_utf8_lossy(&record.key));
    let replay = match &work.origin {
        Origin::Replay(replay) => Some(replay.attempt),
        _ => None,
    };
    info_span!(
        target: TARGET,
        parent: None,
        "process",
        otel.name = format!("process {}", record.topic),
        otel.kind = "consumer",
        otel.status_description = Empty,
        messaging.system = messaging.system,
        messaging.client.id = messaging.client_id,
        messaging.operation.type = "process",
        messaging.operation.name = "process",
        messaging.batch.message_count = batch.inputs,
        messaging.destination.name = record.topic,
        messaging.destination.partition.id = %record.partition,
        messaging.consumer.group.name = crate::participant::group::<P>(),
        messaging.kafka.offset = record.offset,
        messaging.kafka.message.key = key.as_deref(),
        messaging.message.id = %cause,
        server.address = messaging.host,
        server.port = messaging.port.map(i64::from),
        cloudevents.event_id = %cause,
        cloudevents.event_type = event.event_type().as_str(),
        quintet.aggregate_id = work.input.aggregate().map(|id| id.to_string()),
        quintet.duplicate = Empty,
        quintet.parked = Empty,
        quintet.replay = replay,
        quintet.attempt = i64::from(batch.attempt),
    )
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// The span of one attempt at the outside world.
pub(crate) struct AttemptSpan(Traced);

impl AttemptSpan {
    /// Opens the span. `attempt` counts from 1.
    pub(crate) fn open<K: AggregateKey>(
        parent: &Trace,
        effect: &impl Effect<K>,
        attempt: i64,
    ) -> Self {
        let aggregate_id = effect.aggregate();
        Self(Traced::under(parent, || {
            info_span!(
                target: TARGET,
                parent: None,
                "attempt",
                otel.name = effect.kind(),
                otel.kind = "internal",
                otel.status_description = Empty,
                quintet.effect = effect.name(),
                quintet.effect_id = %effect.id(),
                quintet.aggregate_id = %aggregate_id,
                quintet.attempt = attempt,
            )
        }))
    }

    /// The span in which the attempt runs.
    pub(crate) fn span(&self) -> Span {
        self.0.span.clone()
    }

    /// The trace of what the attempt does, and of its outcome.
    pub(crate) fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// Ends the span, with an error status if there was no answer or a refusal, and returns its trace.
    pub(crate) fn end<O>(self, attempt: &Attempt<O>) -> Trace {
        if let Attempt::NoAnswer(why) | Attempt::Refused(why) = attempt {
            self.0.span.record("otel.status_description", why.as_str());
        }
        self.0.trace
    }
}
