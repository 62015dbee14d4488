//! A contract of one event, for the tests of this crate.

use serde::{Deserialize, Serialize};

crate::ids! {
    /// A game.
    GameId;
}

crate::contract! {
    /// The events of a game.
    pub enum GameEvent: GameEventType;
    namespace "arcade";
    key game_id: GameId;
    schemas "tests/schemas";
    compacted;
    payloads(Clone, Debug, PartialEq, Serialize, Deserialize);

    /// A ball was served.
    Served by "table" on "games" in "served": 1 { game_id: GameId, speed: i64 }
}
