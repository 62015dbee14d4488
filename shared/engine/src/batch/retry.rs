//! The retry loop: a batch that fails runs again with the same inputs until it commits.
//!
//! | what failed | what the loop does |
//! |---|---|
//! | a race with another replica | runs the batch again after some milliseconds |
//! | the database does not answer, or its answer is lost | runs it again, with growing pauses |
//! | the reaction to one input panics, or emits an event that is too large | sets that input aside, and runs the others |
//! | the database refuses some value | runs each input in a batch of its own, and sets the one aside that fails |
//!
//! An event that is set aside is parked in the dead letters. A command is answered with an error. An outcome or an alarm
//! stays in its table and is tried again later. The loop gives a batch up only when the service stops: the broker and the
//! tables then still have its inputs, and a client repeats its command.
//!
//! While the loop tries one batch, the others wait, since a later input must not overtake an earlier one.

use std::{sync::Arc, time::Duration};

use bus::{LogThrottle, Position};
use clock::Random;
use store::Class;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    Answer, Applied, BatchError, Engine, Participant, Pending, Poison, Reason, Settings,
    UnconfirmedAnswers, What, Work, settings::backoff, shutdown::stopped,
};

/// The longest pause after a lost race with another replica: enough to let it commit.
const RACE_PAUSE_MILLIS: u64 = 5;
/// A batch that has failed so often has another problem than races: a fault of the program that returns each time.
const RACES: u32 = 20;

/// The longest pause between two attempts while the database takes no batch. The pauses grow up to
/// `effects.backoff_max`, which may be minutes: without this limit a batch would wait so long after the database is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long one call of [`Engine::apply_batch_without`] may take. A database whose host has vanished does not close the
/// connection, and would hold up the loop for ever.
const ATTEMPT_LIMIT: Duration = Duration::from_mins(1);

/// How the retry loop ends for a batch.
#[derive(Debug)]
pub(crate) enum Retried {
    /// The batch is applied; these positions are done.
    Applied(Vec<Position>),
    /// The service stops while its database takes no batch.
    GivenUp,
}

/// Applies batches, however often each has to be tried.
pub(crate) struct RetryLoop<P: Participant> {
    pub(crate) engine: Arc<Engine<P>>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Which failures of the database were logged. One that lasts is logged once a minute.
    pub(crate) said: LogThrottle,
}

impl<P: Participant> RetryLoop<P> {
    /// Applies a batch and answers its commands.
    pub(crate) async fn apply(&mut self, batch: Vec<Pending<P>>, mut poison: Poison) -> Retried {
        let (works, mut replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.work, pending.reply)).unzip();
        let (mut unconfirmed, mut failures) = (UnconfirmedAnswers::<P>::new(), 0_u32);
        let outage = Arc::clone(&self.engine.outage);
        let _attempts = outage.attempts(Instant::now());
        loop {
            let attempt = self.engine.apply_batch_without(&works, &poison, &mut unconfirmed);
            let attempt = timeout(ATTEMPT_LIMIT, attempt).await;
            let error = match attempt.unwrap_or_else(|_| Err(self.engine.abandon_attempt())) {
                Ok(Applied { answers, positions, .. }) => {
                    for (index, answer) in answers {
                        if let Some(reply) = replies[index].take() {
                            let _ = reply.send(answer);
                        }
                    }
                    crate::crash_point!(AfterReply, &*works);
                    if self.said.reset() {
                        tracing::info!("the database takes batches again");
                    }
                    return Retried::Applied(positions);
                }
                Err(error) => error,
            };
            let culprit = match &error {
                BatchError::Poison { culprit, reason } => Some((*culprit, reason.clone())),
                BatchError::Store(error) if error.class() == Class::Data => match works.len() {
                    // Only unreadable records are left. They must be stored, so this batch is tried until it is.
                    0 => None,
                    1 => Some((0, Reason::refused(error))),
                    // No commit is in doubt here, so `unconfirmed` can go. After a COMMIT of unknown outcome the attempt
                    // waits for the inbox first. If that commit took effect, the ids are there, and the attempt has
                    // nothing to write that the database could refuse.
                    _ => return self.one_by_one(works, replies, poison).await,
                },
                BatchError::Store(_) => None,
            };
            if let Some((culprit, reason)) = culprit.filter(|(place, _)| !poison.contains(*place)) {
                log_refusal(&works[culprit], &reason);
                poison.add(culprit, reason);
                continue;
            }
            failures += 1;
            if !self.pause(&error, failures).await {
                return Retried::GivenUp;
            }
        }
    }

    /// The database refuses a value of one of the inputs. Batches of one input each show which.
    async fn one_by_one(
        &mut self,
        works: Vec<Work<P>>,
        replies: Vec<Option<oneshot::Sender<Answer<P>>>>,
        mut poison: Poison,
    ) -> Retried {
        let mut done = Vec::new();
        for (place, (work, reply)) in works.into_iter().zip(replies).enumerate() {
            let only = poison.take_for(place);
            match Box::pin(self.apply(vec![Pending { work, reply }], only)).await {
                Retried::Applied(positions) => done.extend(positions),
                Retried::GivenUp => return Retried::GivenUp,
            }
        }
        match Box::pin(self.apply(Vec::new(), poison)).await {
            Retried::Applied(positions) => Retried::Applied([done, positions].concat()),
            Retried::GivenUp => Retried::GivenUp,
        }
    }

    /// Waits before the next attempt. Returns false if the service stops instead.
    async fn pause(&mut self, error: &BatchError, failures: u32) -> bool {
        let race = error.class() == Class::Conflict;
        if race && failures <= RACES {
            tracing::debug!(%error, failures, "lost a race with another replica; applying the batch again");
            sleep(Duration::from_millis(1 + self.random.below(RACE_PAUSE_MILLIS))).await;
            return true;
        }
        if self.said.should_log(&error.to_string(), Instant::now().into_std()) {
            tracing::error!(%error, failures, "the database does not take the batch; trying until it does");
        }
        let pause = pause_after(failures, &self.engine.settings, &*self.random);
        tokio::select! {
            () = sleep(pause) => true,
            () = stopped(&mut self.stop) => false,
        }
    }
}

/// The pause after so many failures in a row.
fn pause_after(failures: u32, settings: &Settings, random: &dyn Random) -> Duration {
    backoff(settings, failures, random).min(LONGEST_PAUSE)
}

/// Logs that an input cannot be applied. Events are logged once they are parked.
fn log_refusal<P: Participant>(work: &Work<P>, reason: &Reason) {
    let (trace_id, why) = (work.input.trace.trace_id(), reason.to_string());
    match &work.input.what {
        What::Command(command) => {
            tracing::error!(?command, trace_id, why, "a command cannot be applied");
        }
        What::Outcome(aggregate_id, outcome) => {
            tracing::error!(
                %aggregate_id, ?outcome, trace_id, why,
                "an outcome cannot be applied: its effect will be asked again"
            );
        }
        What::Alarm(aggregate_id, alarm) => {
            tracing::error!(
                %aggregate_id, ?alarm, trace_id, why,
                "an alarm cannot be applied: it will ring again"
            );
        }
        What::Event(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Largest;

    impl Random for Largest {
        fn bytes(&self) -> [u8; 16] {
            [u8::MAX; 16]
        }

        fn below(&self, n: u64) -> u64 {
            n.saturating_sub(1)
        }
    }

    #[test]
    fn pauses_grow_from_milliseconds_to_seconds_however_long_an_outage_lasts() {
        let settings = Settings::default();
        assert!(pause_after(1, &settings, &Largest) <= settings.backoff);
        assert!(pause_after(1, &settings, &Largest) < pause_after(4, &settings, &Largest));
        assert_eq!(pause_after(10_000, &settings, &Largest), LONGEST_PAUSE);
    }
}
