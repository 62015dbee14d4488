//! Implements [`Field`](crate::Field) for the ids of events and effects. The crate that defines them does not
//! know this one, so the implementations are here.

use event::{EffectId, EventId};

use crate::uuid_field;

uuid_field!(EventId, EffectId);
