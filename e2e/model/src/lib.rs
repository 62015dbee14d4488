//! Every interleaving of an order's life, played by the services' own reactions.
//!
//! The network knows no order at all, not even within a topic: every event may come to each of its
//! consumers at any time, and again as often as it likes. The outside world may answer anything that it
//! can answer, and its answers may be lost. Customers and deadlines cut in wherever they can.
//!
//! Nothing here knows what a service does: it is asked, with the rows that a batch of one input
//! would load, and what it answers is remembered.

mod bits;
mod cast;
mod known;
mod properties;
mod publisher;
mod saga;
mod scenario;
mod script;
mod search;
mod snapshot;
mod stage;
mod state;
mod story;

pub use self::saga::{Action, Saga};
pub use ::saga::Entry;
pub use cast::Reactions;
pub use publisher::Publisher;
pub use scenario::{Freedom, Restored, Scenario};
pub use search::{Finding, Verdict, counterexample, search};
pub use stage::React;
pub use state::State;
