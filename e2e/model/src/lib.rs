//! A model checker that plays every interleaving of an order's life with the services' own reactions.
//!
//! The network keeps no order at all, not even within a topic: every event may reach each of its consumers at any
//! time, and any number of times. The outside world may give every possible answer, and answers may be lost.
//! Customers may cancel and deadlines may fire at any time.
//!
//! The model does not know what a service does. It calls the service's reaction with the rows that a batch of one
//! input would load, and remembers the result.

mod bits;
mod cast;
mod done;
mod interner;
mod part;
mod properties;
mod publisher;
mod saga;
mod scenario;
mod script;
mod search;
mod snapshot;
mod state;
mod story;

pub use self::saga::{Action, Saga};
pub use ::saga::Entry;
pub use cast::Reactions;
pub use part::React;
pub use publisher::Publisher;
pub use scenario::{Freedom, Restored, Scenario};
pub use search::{Finding, Outcome, counterexample, search};
pub use state::State;
