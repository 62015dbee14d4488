use std::{collections::BTreeMap, time::Duration};

use event::{Contract, EventId, EventType, derived};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Key, Participant, participant::alarm_id, settings::later};

/// What must become true together with the changed rows.
#[derive(Debug)]
pub struct Reaction<P: Participant> {
    cause: Uuid,
    now: Timestamp,
    pub(crate) events: Vec<(EventId, P::Contract)>,
    pub(crate) effects: Vec<P::Effect>,
    pub(crate) alarms: BTreeMap<Uuid, AlarmChange<P>>,
    pub(crate) reply: Option<P::Reply>,
}

/// An alarm that is set (with the time at which it rings) or cleared.
#[derive(Debug)]
pub(crate) enum AlarmChange<P: Participant> {
    Set { aggregate: Key<P>, alarm: P::Alarm, due_at: Timestamp },
    Clear { alarm: P::Alarm },
}

/// An event that was emitted, as the outside will see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emitted {
    /// Its id.
    pub id: EventId,
    /// Its time.
    pub at: Timestamp,
}

impl<P: Participant> Reaction<P> {
    /// Nothing yet, in answer to `cause`, in a batch of this time.
    #[must_use]
    pub fn new(cause: Uuid, now: Timestamp) -> Self {
        Self {
            cause,
            now,
            events: Vec::new(),
            effects: Vec::new(),
            alarms: BTreeMap::new(),
            reply: None,
        }
    }

    /// Emits an event. Its id is derived from (cause, type, how many of the type came before), so
    /// that the same reaction to the same cause emits the same ids.
    pub fn emit(&mut self, event: impl Into<P::Contract>) -> Emitted {
        let event = event.into();
        let kind = event.event_type();
        let nth = self.events.iter().filter(|(_, earlier)| earlier.event_type() == kind).count();
        let near = event.aggregate().map_or(self.cause, Into::into);
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        let id = EventId::from(derived(near, self.cause, kind.as_str(), nth));
        self.events.push((id, event));
        Emitted { id, at: self.now }
    }

    /// Asks the outside world. The definite answer comes back as an input.
    pub fn request(&mut self, effect: P::Effect) {
        self.effects.push(effect);
    }

    /// Sets an aggregate's alarm, in place of one of the same name.
    pub fn set_alarm(&mut self, aggregate: Key<P>, alarm: P::Alarm, after: Duration) {
        let due_at = later(self.now, after);
        let id = alarm_id(aggregate.into(), alarm);
        self.alarms.insert(id, AlarmChange::Set { aggregate, alarm, due_at });
    }

    /// Clears an aggregate's alarm.
    pub fn clear_alarm(&mut self, aggregate: Key<P>, alarm: P::Alarm) {
        self.alarms.insert(alarm_id(aggregate.into(), alarm), AlarmChange::Clear { alarm });
    }

    /// Answers the command.
    pub fn reply(&mut self, reply: P::Reply) {
        self.reply = Some(reply);
    }

    /// What was emitted.
    pub fn events(&self) -> impl Iterator<Item = &P::Contract> {
        self.events.iter().map(|(_, event)| event)
    }

    /// What was emitted, each event with its id.
    pub fn emitted(&self) -> impl Iterator<Item = (EventId, &P::Contract)> {
        self.events.iter().map(|(id, event)| (*id, event))
    }

    /// What was asked of the outside world.
    #[must_use]
    pub fn effects(&self) -> &[P::Effect] {
        &self.effects
    }

    /// The alarms that were set, in no particular order.
    pub fn alarms_set(&self) -> impl Iterator<Item = P::Alarm> {
        self.alarms.values().filter_map(|change| match change {
            AlarmChange::Set { alarm, .. } => Some(*alarm),
            AlarmChange::Clear { .. } => None,
        })
    }

    /// The alarms that were cleared, in no particular order.
    pub fn alarms_cleared(&self) -> impl Iterator<Item = P::Alarm> {
        self.alarms.values().filter_map(|change| match change {
            AlarmChange::Clear { alarm } => Some(*alarm),
            AlarmChange::Set { .. } => None,
        })
    }

    /// The command's answer.
    #[must_use]
    pub fn answer(&self) -> Option<&P::Reply> {
        self.reply.as_ref()
    }
}
