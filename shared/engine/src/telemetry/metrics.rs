use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use strum::VariantArray;

use crate::{Applied, Attempt, Cause, Participant, What, Work};

/// From half a millisecond to 16 seconds.
const SECONDS: (f64, f64, u16) = (0.0005, 2.0, 16);
/// From one input to 1024.
const INPUTS: (f64, f64, u16) = (1.0, 2.0, 11);

/// The metrics of an engine. They count without a registry; [`Metrics::register`] adds them to one.
#[derive(Debug, Clone)]
pub struct Metrics {
    inputs: Family<OfKind, Counter>,
    batches: Counter,
    emitted: Counter,
    duplicates: Counter,
    failed_batches: Counter,
    batch_inputs: Histogram,
    batch_duration: Histogram,
    parked: Family<OfCause, Counter>,
    replayed: Counter,
    attempts: Family<OfAttempt, Counter>,
    attempt: Family<OfEffect, Histogram, fn() -> Histogram>,
}

/// The kinds of inputs; [`kind`] returns an index into them.
const KINDS: [&str; 4] = ["event", "command", "outcome", "alarm"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCause {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEffect {
    effect: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAttempt {
    effect: String,
    /// `answered`, `no_answer` or `refused`.
    result: &'static str,
}

fn kind<P: Participant>(what: &What<P>) -> usize {
    match what {
        What::Event(_) => 0,
        What::Command(_) => 1,
        What::Outcome(..) => 2,
        What::Alarm(..) => 3,
    }
}

fn seconds() -> Histogram {
    let (start, factor, length) = SECONDS;
    Histogram::new(exponential_buckets(start, factor, length))
}

impl Default for Metrics {
    fn default() -> Self {
        let (start, factor, length) = INPUTS;
        let inputs = Family::<OfKind, Counter>::default();
        for kind in KINDS {
            // Prometheus sees the first increase of a series only if the series began at 0.
            let _ = inputs.get_or_create_owned(&OfKind { kind });
        }
        let parked = Family::<OfCause, Counter>::default();
        for cause in Cause::VARIANTS {
            let _ = parked.get_or_create_owned(&OfCause { cause: cause.into() });
        }
        Self {
            inputs,
            batches: Counter::default(),
            emitted: Counter::default(),
            duplicates: Counter::default(),
            failed_batches: Counter::default(),
            batch_inputs: Histogram::new(exponential_buckets(start, factor, length)),
            batch_duration: seconds(),
            parked,
            replayed: Counter::default(),
            attempts: Family::default(),
            attempt: Family::new_with_constructor(seconds),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a registry, which shows their present and all later values.
    pub fn register(&self, registry: &mut Registry) {
        let inputs = "Inputs in committed batches, duplicates included, by kind";
        registry.register("inputs", inputs, self.inputs.clone());
        registry.register("batches", "Batches that committed", self.batches.clone());
        let emitted = "Events that committed batches put into the outbox";
        registry.register("events_emitted", emitted, self.emitted.clone());
        let duplicates = "Inputs that had been applied before; they are among the inputs";
        registry.register("duplicates", duplicates, self.duplicates.clone());
        let failed = "Attempts at a batch that did not commit; each is tried again";
        registry.register("failed_batches", failed, self.failed_batches.clone());
        registry.register("batch_inputs", "Inputs of a committed batch", self.batch_inputs.clone());
        let duration = "Time from a batch's begin to its commit";
        registry.register_with_unit("batch", duration, Unit::Seconds, self.batch_duration.clone());
        let parked = "Records that were parked instead of applied, by cause; behind: because an earlier record of their aggregate is parked";
        registry.register("dead_letters_parked", parked, self.parked.clone());
        let replayed = "Dead letters that were applied after all";
        registry.register("dead_letters_replayed", replayed, self.replayed.clone());
        let attempts = "Attempts at the outside world, by result: answered; no_answer, and therefore repeated; refused, where the provider says that the request itself is wrong, so that it is held";
        registry.register("effect_attempts", attempts, self.attempts.clone());
        let attempt = "Time that an attempt at the outside world took";
        registry.register_with_unit("effect_attempt", attempt, Unit::Seconds, self.attempt.clone());
    }

    /// Adds a series of each metric, so that a registry tells the names of their labels: for a reference page.
    pub fn show_labels(&self) {
        for result in Attempt::<()>::RESULTS {
            self.attempted(String::new(), result, Duration::ZERO);
        }
    }

    pub(crate) fn committed<P: Participant>(
        &self,
        batch: &[Work<P>],
        applied: &Applied<P>,
        took: Duration,
    ) {
        let mut counts = [0_u64; KINDS.len()];
        for work in batch {
            counts[kind(&work.input.what)] += 1;
        }
        for (kind, count) in KINDS.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            self.inputs.get_or_create(&OfKind { kind }).inc_by(count);
        }
        self.batches.inc();
        self.emitted.inc_by(applied.emitted as u64);
        self.duplicates.inc_by(applied.duplicates as u64);
        self.batch_inputs.observe(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        self.batch_duration.observe(took.as_secs_f64());
    }

    pub(crate) fn parked(&self, cause: Cause) {
        self.parked.get_or_create(&OfCause { cause: cause.into() }).inc();
    }

    pub(crate) fn replayed(&self, dead_letters: usize) {
        self.replayed.inc_by(dead_letters as u64);
    }

    pub(crate) fn failed(&self) {
        self.failed_batches.inc();
    }

    pub(crate) fn attempted(&self, effect: String, result: &'static str, took: Duration) {
        self.attempt
            .get_or_create(&OfEffect { effect: effect.clone() })
            .observe(took.as_secs_f64());
        self.attempts.get_or_create(&OfAttempt { effect, result }).inc();
    }

    /// Batches that committed.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.get()
    }

    /// Inputs in committed batches, duplicates included.
    pub(crate) fn inputs(&self) -> u64 {
        let count = |kind| self.inputs.get_or_create(&OfKind { kind }).get();
        KINDS.into_iter().map(count).sum()
    }

    /// Inputs in committed batches that had been applied before.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates.get()
    }
}
