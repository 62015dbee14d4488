//! The metrics and spans of the engine.

use std::sync::Arc;

use event::{Headers, Trace};
use opentelemetry::{
    Value,
    trace::{SpanKind, Status, TracerProvider},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use prometheus_client::{encoding::text::encode, registry::Registry};
use quintet_engine::{Engine, Messaging, Origin, Settings};
use store::Json;
use testkit::RushingClock;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use crate::{
    rig::{Next, Rig, apply, options, rigs, rigs_with},
    toy::Toy,
    work::{Works, add, ask, command, tally, tell},
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Collects the spans of this thread for as long as it lives.
struct Collector {
    spans: InMemorySpanExporter,
    _thread: DefaultGuard,
}

impl Collector {
    fn new() -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        Self { spans, _thread: tracing::subscriber::set_default(subscriber) }
    }

    /// The spans that ended since the last call.
    fn take(&self) -> Vec<SpanData> {
        let spans = self.spans.get_finished_spans().unwrap();
        self.spans.reset();
        spans
    }
}

fn sampled(mut work: Works) -> Works {
    work.input.trace = Trace::parse(Some(PARENT), None);
    work
}

/// Gives the record the key that the broker has for an event about a tally.
fn with_key(mut work: Works) -> Works {
    let key = work.input.aggregate().map(|id| id.to_string().into_bytes());
    let Origin::Event(record) = &mut work.origin else { panic!("an event") };
    record.key = key.unwrap_or_default();
    work
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|pair| pair.key.as_str() == name);
    found.map(|pair| match &pair.value {
        Value::String(text) => text.as_str().to_owned(),
        other => other.to_string(),
    })
}

/// The `traceparent` of each row of the outbox, oldest first.
async fn parents(rig: &Rig) -> Vec<String> {
    let sql = "select cast(headers as text) from outbox_event order by id, place";
    let rows = rig.db.fetch(sql, vec![]).await.unwrap();
    let parent = |row: &store::Row| {
        let Json(headers): Json<Headers> = row.get(0).unwrap();
        headers.get("traceparent").map(|text| String::from_utf8(text.into()).unwrap())
    };
    rows.iter().filter_map(parent).collect()
}

#[tokio::test]
async fn an_event_carries_the_span_of_its_creation() {
    for rig in rigs().await {
        let collector = Collector::new();
        rig.apply(&[sampled(add(1, tally(1)))]).await;
        let spans = collector.take();
        let [made, reaction] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((&*made.name, &made.span_kind), ("create sums", &SpanKind::Producer));
        assert_eq!((&*reaction.name, &reaction.span_kind), ("process sums", &SpanKind::Consumer));
        assert_eq!(made.parent_span_id, reaction.span_context.span_id());
        assert_eq!(reaction.parent_span_id.to_string(), PARENT[36..52]);
        let (trace, span) = (made.span_context.trace_id(), made.span_context.span_id());
        assert_eq!(parents(&rig).await, [format!("00-{trace}-{span}-01")]);
        assert_eq!(PARENT[3..35], trace.to_string());
    }
}

#[tokio::test]
async fn the_spans_of_a_batch_are_linked_and_stay_in_the_traces_of_their_inputs() {
    let messaging = Messaging {
        system: "kafka",
        host: Some("broker.example".to_owned()),
        port: Some(9092),
        client_id: "toy-toy".to_owned(),
    };
    let settings = Settings { messaging: Arc::new(messaging), ..Settings::default() };
    for rig in rigs_with(settings).await {
        let collector = Collector::new();
        let batch = [sampled(add(1, tally(1))), add(2, tally(2)), sampled(add(3, tally(3)))];
        rig.apply(&batch.map(with_key)).await;
        let spans = collector.take();
        assert!(spans.iter().all(|span| span.span_context.trace_id().to_string() == PARENT[3..35]));
        let of = |kind| spans.iter().filter(move |span| span.span_kind == kind);
        let reactions: Vec<_> = of(SpanKind::Consumer).collect();
        assert_eq!(reactions.len(), 2);
        let linked = |span: &SpanData| -> Vec<_> {
            span.links.iter().map(|link| link.span_context.span_id()).collect()
        };
        let first = reactions.iter().find(|span| linked(span).is_empty()).expect("the first one");
        let second = reactions.iter().find(|span| !linked(span).is_empty()).expect("another");
        assert_eq!(linked(second), [first.span_context.span_id()]);
        for span in of(SpanKind::Consumer).chain(of(SpanKind::Producer)) {
            let get = |name| attribute(span, name).unwrap_or_default();
            assert_eq!((&*get("server.address"), &*get("server.port")), ("broker.example", "9092"));
            assert_eq!(get("messaging.client.id"), "toy-toy");
            assert_eq!(get("messaging.kafka.message.key"), get("quintet.aggregate_id"), "{span:?}");
        }
        let counts = ["messaging.batch.message_count", "quintet.attempt"];
        for (span, (name, expected)) in reactions.iter().zip(counts.into_iter().zip([3, 1])) {
            let found = span.attributes.iter().find(|pair| pair.key.as_str() == name);
            assert_eq!(found.map(|pair| &pair.value), Some(&Value::I64(expected)), "{name}");
        }
    }
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_or_not_collected_is_passed_on_unchanged() {
    for rig in rigs().await {
        rig.apply(&[sampled(add(1, tally(1)))]).await;
        let collector = Collector::new();
        let unsampled = PARENT.replace("-01", "-00");
        let mut work = add(2, tally(1));
        work.input.trace = Trace::parse(Some(&unsampled), None);
        rig.apply(&[work, add(3, tally(1))]).await;
        assert_eq!(parents(&rig).await, [PARENT, &unsampled]);
        assert!(collector.take().is_empty());
    }
}

#[tokio::test]
async fn failed_batches_and_duplicates_are_marked_on_their_spans() {
    for rig in rigs().await {
        let collector = Collector::new();
        rig.refused(&[sampled(ask(1, tally(1))), tell(2, tally(2), "panic")]).await;
        let failed = &collector.take()[0];
        let expected = Status::error("the reaction to Noted panicked: asked to");
        assert_eq!(
            (attribute(failed, "quintet.attempt"), &failed.status),
            (Some("1".into()), &expected)
        );

        rig.apply(&[sampled(ask(1, tally(1)))]).await;
        let again = &collector.take()[0];
        assert_eq!(attribute(again, "quintet.attempt"), Some("2".into()));
        assert_eq!((attribute(again, "quintet.duplicate"), &again.status), (None, &Status::Unset));

        rig.apply(&[sampled(ask(1, tally(1)))]).await;
        let duplicate = &collector.take()[0];
        assert_eq!(attribute(duplicate, "quintet.duplicate"), Some("true".into()));
        assert_eq!(attribute(duplicate, "quintet.attempt"), Some("1".into()));
    }
}

#[tokio::test]
async fn the_trace_of_an_outcome_is_that_of_its_attempt() {
    for rig in rigs().await {
        let collector = Collector::new();
        rig.apply(&[sampled(ask(1, tally(1)))]).await;
        let reaction = &collector.take()[0];
        rig.provider.plan([Next::NoAnswer]);
        let mut effects = rig.effects();
        assert!(effects.step().await.unwrap().is_empty());
        let refused = &collector.take()[0];
        assert_eq!(refused.parent_span_id, reaction.span_context.span_id());
        assert_eq!(refused.status, Status::error("503"));
        rig.clock.advance(rig.settings.backoff_max);
        let outcome = effects.step().await.unwrap().remove(0);
        let answered = &collector.take()[0];
        assert_eq!(attribute(answered, "quintet.attempt"), Some("2".into()));
        let (trace, span) = (answered.span_context.trace_id(), answered.span_context.span_id());
        assert_eq!(outcome.input.trace.traceparent, Some(format!("00-{trace}-{span}-01")));
    }
}

#[tokio::test]
async fn setting_the_wall_clock_does_not_change_the_duration_of_a_batch() {
    for rig in rigs().await {
        let rushing = Arc::new(RushingClock::default());
        let options = options(&rig.settings, 99);
        let engine = Engine::new(Toy::default(), rig.db.clone(), rushing, options);
        let mut registry = Registry::default();
        engine.metrics().register(&mut registry);
        apply(&engine, &[add(1, tally(1))]).await;
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.lines().any(|line| line == "batch_seconds_sum 0.0"), "{text}");
    }
}

#[tokio::test]
async fn batches_inputs_and_attempts_are_counted() {
    for rig in rigs().await {
        let mut registry = Registry::default();
        rig.engine.metrics().register(&mut registry);
        rig.apply(&[add(1, tally(1)), add(1, tally(1)), ask(2, tally(1))]).await;
        rig.refused(&[tell(3, tally(1), "panic")]).await;
        rig.provider.plan([Next::NoAnswer]);
        let mut effects = rig.effects();
        effects.step().await.unwrap();
        rig.clock.advance(rig.settings.backoff_max);
        let outcome = effects.step().await.unwrap().remove(0);
        rig.apply(&[outcome, command(4, tally(1), 1)]).await;

        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "batches_total 2",
            "failed_batches_total 1",
            "duplicates_total 1",
            "inputs_total{kind=\"event\"} 3",
            "inputs_total{kind=\"outcome\"} 1",
            "inputs_total{kind=\"command\"} 1",
            "inputs_total{kind=\"alarm\"} 0",
            "batch_inputs_sum 5.0",
            "batch_seconds_count 2",
            "effect_attempts_total{effect=\"ask\",result=\"answered\"} 1",
            "effect_attempts_total{effect=\"ask\",result=\"no_answer\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
