//! Makes the parts that the loops drive: relay, effect runner, alarms and replays.

use std::sync::Arc;

use bus::Bus;
use clock::Random;

use crate::{
    Alarms, EffectRunner, Engine, Outside, Participant, Relay, Replays,
    effects::{self, RunnerParts},
    outbox::rows,
};

impl<P: Participant> Engine<P> {
    /// The relay of this engine's outbox.
    pub fn relay(&self, bus: Arc<dyn Bus>) -> Relay {
        let (outbox, clock) = (Arc::clone(&self.outbox), Arc::clone(&self.clock));
        Relay::new(self.db.clone(), outbox, bus, clock, &self.settings)
    }

    /// The runner of this engine's effects.
    pub fn effect_runner(
        &self,
        outside: Arc<dyn Outside<P>>,
        random: Arc<dyn Random>,
    ) -> EffectRunner<P> {
        EffectRunner::new(RunnerParts {
            db: self.db.clone(),
            queue: Arc::clone(&self.effects),
            outside,
            clock: Arc::clone(&self.clock),
            random,
            settings: self.settings.clone(),
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// The alarms of this engine.
    pub fn alarms(&self) -> Alarms {
        Alarms::new(self.db.clone(), Arc::clone(&self.clock), self.settings.clone())
    }

    /// The replays of this engine's dead letters.
    pub fn replays(&self) -> Replays {
        Replays::new(self.db.clone(), Arc::clone(&self.clock), self.settings.clone())
    }

    /// Must be called before the loops run. Takes the outbox, and counts the events that earlier processes left in it.
    /// On a file database it also releases the effects that they had claimed, because no other process attempts those.
    pub async fn take_stock(&self) {
        let now = self.clock.now();
        if let Err(error) = self.outbox.take(&self.db).await {
            tracing::warn!(%error, "cannot take the outbox; it stays in shared mode for now");
        }
        self.outbox.set_lease_held(self.outbox.ownership().is_sole());
        match rows::depth(&self.db, now).await {
            Ok(stored) => self.outbox.set_depth(stored.depth),
            Err(error) => tracing::warn!(%error, "cannot count the outbox"),
        }
        if self.outbox.always_sole
            && let Err(error) = effects::release_orphans(&self.db, now).await
        {
            tracing::warn!(%error, "cannot release the effects that an earlier process claimed; they are attempted when the claims end");
        }
    }
}
