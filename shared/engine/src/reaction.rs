use std::{collections::BTreeMap, time::Duration};

use event::{Contract, EventId, EventType, derived};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Key, Participant, participant::alarm_id, settings::later};

/// The decisions of a reaction besides changed rows: events, requests, alarms and a reply. They are committed together
/// with the rows.
#[derive(Debug)]
pub struct Reaction<P: Participant> {
    cause: Uuid,
    now: Timestamp,
    pub(crate) events: Vec<(EventId, P::Contract)>,
    pub(crate) effects: Vec<P::Effect>,
    pub(crate) alarms: BTreeMap<Uuid, AlarmChange<P>>,
    pub(crate) reply: Option<P::Reply>,
}

/// A change of an alarm.
#[derive(Debug)]
pub(crate) enum AlarmChange<P: Participant> {
    Set { aggregate: Key<P>, alarm: P::Alarm, due_at: Timestamp },
    Clear { alarm: P::Alarm },
}

/// The id and the time of an emitted event, as its consumers will see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emitted {
    /// Its id.
    pub id: EventId,
    /// Its time.
    pub at: Timestamp,
}

impl<P: Participant> Reaction<P> {
    /// An empty reaction to the input `cause`, in a batch at the time `now`.
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

    /// Makes a request to the outside world. The definite answer comes back as an input.
    pub fn request(&mut self, effect: P::Effect) {
        self.effects.push(effect);
    }

    /// Sets an aggregate's alarm. It replaces one of the same name.
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

    /// The emitted events.
    pub fn events(&self) -> impl Iterator<Item = &P::Contract> {
        self.events.iter().map(|(_, event)| event)
    }

    /// The emitted events, each with its id.
    pub fn emitted(&self) -> impl Iterator<Item = (EventId, &P::Contract)> {
        self.events.iter().map(|(id, event)| (*id, event))
    }

    /// The requests to the outside world.
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
