//! Reacts to the inputs of a batch one after the other, and collects what follows.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use event::{Encoded, encode};

use super::{context::Batch, idempotency::Keys};
use crate::{
    Answer, BatchError, Cause, CommandError, Effect, Engine, Origin, Participant, Reaction, Reason,
    UnconfirmedAnswers, What, Work, alarms, dead_letters::Sorted, effects, outbox::rows,
    reaction::AlarmChange,
};

/// What the reactions of a batch emit, request, set and answer, taken together.
pub(crate) struct Fold<'e, P: Participant> {
    engine: &'e Engine<P>,
    batch: Batch<'e, P>,
    answers: HashMap<usize, Answer<P>>,
    pub(crate) keys: Keys<P>,
    /// The events to send.
    pub(crate) events: Vec<Encoded>,
    pub(crate) effects: Vec<effects::Requested<P>>,
    pub(crate) alarms: alarms::Changes<P>,
}

impl<'e, P: Participant> Fold<'e, P> {
    pub(crate) fn new(engine: &'e Engine<P>, batch: Batch<'e, P>, keys: Keys<P>) -> Self {
        Self {
            engine,
            batch,
            keys,
            answers: HashMap::new(),
            events: Vec::new(),
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
    ) -> Result<(), BatchError> {
        if let Some(answer) = self.keys.answer(work.idempotency_key()) {
            self.answers.insert(index, answer);
            return Ok(());
        }
        // Earlier inputs of this batch have the same effect as if each had been committed before in its own batch.
        let cause = work.input.cause;
        match work.origin {
            // An earlier input cleared this alarm, or set it anew.
            Origin::Alarm if self.alarms.contains_key(&cause) => return Ok(()),
            // An earlier input requested this effect again. It is the same request, and this is its answer.
            Origin::Outcome => self.effects.retain(|requested| requested.id.uuid() != cause),
            _ => {}
        }
        let mut out = Reaction::new(cause, self.batch.now);
        // A world that a panic left half changed is never saved: the attempt ends here.
        catch_unwind(AssertUnwindSafe(|| P::react(world, &work.input, &mut out))).map_err(
            |panic| {
                let reason = Reason::panicked(work.input.what.name(), panic.as_ref());
                BatchError::Poison { culprit: index, reason }
            },
        )?;
        crate::crash_point!(AfterReact, &(work, &out));
        self.collect(index, work, out)
    }

    fn collect(
        &mut self,
        index: usize,
        work: &Work<P>,
        out: Reaction<P>,
    ) -> Result<(), BatchError> {
        let trace = self.batch.spans.trace(index, &work.input.trace);
        for (id, event) in out.events {
            let source = &self.engine.source;
            let made = self.batch.spans.made(index, id, &event);
            let made = made.as_ref().unwrap_or(trace);
            let encoded = encode(id, source, self.batch.now, made, &event, &self.engine.versions);
            self.events.push(self.sendable(encoded, index)?);
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

    fn sendable(&self, event: Encoded, culprit: usize) -> Result<Encoded, BatchError> {
        let (bytes, limit) = (rows::bytes(&event), self.engine.max_record_bytes);
        if bytes > limit {
            let why = format!("event {} has {bytes} bytes, the broker takes {limit}", event.id);
            return Err(BatchError::Poison {
                culprit,
                reason: Reason::new(Cause::TooLarge, [why]),
            });
        }
        Ok(event)
    }

    /// The answers of the batch's commands. The answer of a duplicate comes from the attempt that committed it.
    pub(crate) fn answers(
        &mut self,
        sorted: &Sorted,
        unconfirmed: &UnconfirmedAnswers<P>,
    ) -> Vec<(usize, Answer<P>)> {
        // A command that was set aside, and a fresh one without an answer, get an error.
        let new: HashSet<usize> = sorted.fresh.iter().chain(&sorted.aside).copied().collect();
        let commands = self.batch.works.iter().enumerate();
        let commands = commands.filter(|(_, work)| matches!(work.origin, Origin::Command(_)));
        commands
            .map(|(index, work)| {
                let id = work.input.cause;
                let answer = match self.answers.remove(&index) {
                    Some(answer) => answer,
                    None if new.contains(&index) => Err(CommandError::Failed),
                    None => unconfirmed.get(&id).cloned().unwrap_or(Err(CommandError::Failed)),
                };
                (index, answer)
            })
            .collect()
    }
}
