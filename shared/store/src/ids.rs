//! The ids of events and effects as columns (they live in another crate, so this has to live here).

use event::{EffectId, EventId};

use crate::uuid_field;

uuid_field!(EventId, EffectId);
