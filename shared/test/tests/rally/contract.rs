//! The events between ping and pong.

use serde::{Deserialize, Serialize};

event::ids! {
    /// A rally, and the key of all its events.
    RallyId;
}

store::uuid_field!(RallyId);

event::contract! {
    /// The events about rallies.
    pub enum Event: EventType;
    namespace "rally";
    key rally_id: RallyId;
    schemas "tests/rally/schemas";
    compacted;
    payloads(Clone, Debug, PartialEq, Serialize, Deserialize);

    /// Ping has served a ball.
    Served by "ping" on "serves" in "served": 1 {
        /// The rally.
        rally_id: RallyId,
    }

    /// Pong has returned the ball.
    Returned by "pong" on "returns" in "returned": 1 {
        /// The rally.
        rally_id: RallyId,
    }
}
