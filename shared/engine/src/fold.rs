use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use event::{Encoded, encode};
use jiff::Timestamp;

use crate::{
    Answer, Cause, CommandError, Effect, Engine, Origin, Participant, Reaction, Reason, Remembered,
    TurnError, What, Work, alarms, dead_letters::Sorted, effects, idempotency::Keys, outbox,
    reaction::AlarmChange, telemetry::TurnSpans,
};

/// What a batch's reactions add up to.
pub(crate) struct Fold<'e, P: Participant> {
    engine: &'e Engine<P>,
    now: Timestamp,
    spans: &'e TurnSpans,
    answers: HashMap<usize, Answer<P>>,
    pub(crate) keys: Keys<P>,
    pub(crate) ready: Vec<Encoded>,
    pub(crate) effects: Vec<effects::Requested<P>>,
    pub(crate) alarms: alarms::Changes<P>,
}

impl<'e, P: Participant> Fold<'e, P> {
    pub(crate) fn new(
        engine: &'e Engine<P>,
        keys: Keys<P>,
        now: Timestamp,
        spans: &'e TurnSpans,
    ) -> Self {
        Self {
            engine,
            now,
            spans,
            keys,
            answers: HashMap::new(),
            ready: Vec::new(),
            effects: Vec::new(),
            alarms: alarms::Changes::new(),
        }
    }

    /// Has the service react to an input.
    pub(crate) fn apply(
        &mut self,
        world: &mut P::World,
        index: usize,
        work: &Work<P>,
    ) -> Result<(), TurnError> {
        if let Some(answer) = self.keys.answer(work.idempotency_key()) {
            self.answers.insert(index, answer);
            return Ok(());
        }
        // What an earlier input of the batch did counts as if it had been committed alone.
        let cause = work.input.cause;
        match work.origin {
            // Cleared, or set anew: then this ring is void.
            Origin::Alarm if self.alarms.contains_key(&cause) => return Ok(()),
            // Asked for while it was pending: the same request, and this is its answer.
            Origin::Outcome => self.effects.retain(|requested| requested.id.uuid() != cause),
            _ => {}
        }
        let mut out = Reaction::new(cause, self.now);
        // A world that a panic left half changed is never saved: the batch is given up.
        catch_unwind(AssertUnwindSafe(|| P::react(world, &work.input, &mut out))).map_err(
            |panic| {
                let reason = Reason::panicked(work.input.what.name(), panic.as_ref());
                TurnError::Poison { culprit: index, reason }
            },
        )?;
        crate::crash_point!(AfterReact, &(work, &out));
        self.collect(index, work, out)
    }

    fn collect(&mut self, index: usize, work: &Work<P>, out: Reaction<P>) -> Result<(), TurnError> {
        let trace = self.spans.trace(index, &work.input.trace);
        for (id, event) in out.events {
            let source = &self.engine.source;
            let made = self.spans.made(index, id, &event);
            let made = made.as_ref().unwrap_or(trace);
            let encoded = encode(id, source, self.now, made, &event, &self.engine.versions);
            self.ready.push(self.sendable(encoded, index)?);
        }
        self.effects.extend(out.effects.into_iter().map(|effect| effects::Requested {
            id: effect.id(),
            effect,
            trace: trace.clone(),
        }));
        for (id, change) in out.alarms {
            let change = match change {
                AlarmChange::Set { aggregate, alarm, due_at } => {
                    Some(alarms::Set { aggregate, alarm, due_at, trace: trace.clone() })
                }
                AlarmChange::Clear { .. } => None,
            };
            self.alarms.insert(id, change);
        }
        if let What::Command(command) = &work.input.what {
            let answer = out.reply.ok_or_else(|| {
                let trace_id = work.input.trace.trace_id();
                tracing::error!(?command, trace_id, "a command got no answer from its reaction");
                CommandError::Failed
            });
            if let Ok(reply) = &answer {
                self.keys.remember(work.idempotency_key(), reply);
            }
            self.answers.insert(index, answer);
        }
        Ok(())
    }

    fn sendable(&self, event: Encoded, culprit: usize) -> Result<Encoded, TurnError> {
        let (bytes, limit) = (outbox::bytes(&event), self.engine.max_record_bytes);
        if bytes > limit {
            let why = format!("event {} has {bytes} bytes, the broker takes {limit}", event.id);
            return Err(TurnError::Poison { culprit, reason: Reason::new(Cause::TooLarge, [why]) });
        }
        Ok(event)
    }

    /// The answers of the batch's commands; those of duplicates come from the attempt that
    /// committed them.
    pub(crate) fn answers(
        &mut self,
        batch: &[Work<P>],
        sorted: &Sorted,
        remembered: &Remembered<P>,
    ) -> Vec<(usize, Answer<P>)> {
        // What is fresh and has no answer, or was set aside, is refused.
        let fresh: HashSet<usize> = sorted.fresh.iter().chain(&sorted.aside).copied().collect();
        let commands = batch.iter().enumerate();
        let commands = commands.filter(|(_, work)| matches!(work.origin, Origin::Command(_)));
        commands
            .map(|(index, work)| {
                let id = work.input.cause;
                let answer = match self.answers.remove(&index) {
                    Some(answer) => answer,
                    None if fresh.contains(&index) => Err(CommandError::Failed),
                    None => remembered.get(&id).cloned().unwrap_or(Err(CommandError::Failed)),
                };
                (index, answer)
            })
            .collect()
    }
}
