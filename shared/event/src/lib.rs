//! The events between the services of a saga: a [`Contract`], its JSON Schemas, and the form of events on the
//! wire, `CloudEvents` 1.0 in Kafka's binary mode.
//!
//! A saga writes its contract as one table, [`contract!`]. A service makes a record from an event by [`encode`],
//! and an event from a record by [`decode`].
//!
//! # Example
//!
//! ```no_run
//! # // The schemas of this crate's own tests stand in for a saga's.
//! quintet_event::ids! {
//!     /// A game.
//!     GameId;
//! }
//!
//! quintet_event::contract! {
//!     /// The events of a game.
//!     pub enum GameEvent: GameEventType;
//!     namespace "arcade";
//!     key game_id: GameId;
//!     schemas "tests/schemas";
//!     compacted;
//!     payloads(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize);
//!
//!     /// A ball was served.
//!     Served by "table" on "games" in "served": 1 {
//!         /// The game.
//!         game_id: GameId,
//!         /// How fast, in km/h.
//!         speed: i64,
//!     }
//! }
//!
//! use quintet_event::{Contract as _, EventType as _};
//! let served: GameEvent = Served { game_id: uuid::Uuid::nil().into(), speed: 90 }.into();
//! assert_eq!(served.event_type().topic(), "games");
//! ```

pub mod asyncapi;
mod contract;
#[cfg(test)]
mod game;
mod headers;
mod ids;
mod schema;
mod table;
mod trace;
mod wire;

pub use contract::{
    AggregateKey, Contract, Earlier, EventType, KeyOf, Subject, TopicSpec, TypeOf,
    UnknownEventType, Versions,
};
pub use headers::{Headers, InvalidHeaders};
pub use ids::{EffectId, EventId, derived};
pub use schema::{Schema, Violation};
pub use trace::Trace;
pub use wire::{ATTEMPT_HEADER, DecodeError, Decoded, Encoded, Envelope, decode, encode};

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use crate::contract::text;
    pub use crate::ids::id_schema;
    pub use serde;
    pub use serde_json;
    pub use utoipa;
    pub use uuid;
}
