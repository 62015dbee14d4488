//! The names that nearly every file of a service needs: `use quintet::prelude::*;`.
//!
//! ```
//! use quintet::prelude::*;
//!
//! /// The text of an attempt for the log.
//! fn text(attempt: &Attempt<String>) -> &str {
//!     match attempt {
//!         Attempt::Answered(reference) => reference,
//!         Attempt::NoAnswer(why) | Attempt::Refused(why) => why,
//!     }
//! }
//! assert_eq!(text(&Attempt::NoAnswer("timed out".to_owned())), "timed out");
//! ```

pub use crate::{
    AggregatePath, App, Attempt, Body, Contract, Effect, EffectId, FromJson, Idempotency,
    Impossible, Input, Listed, Migrations, Never, NoConfig, NoEffects, OpenApiRouter, Outside,
    Participant, Problem, Reaction, Reply, Resolution, Rows, Service, StoreError, TableOf, Trace,
    TraceContext, Tx, What, anyhow, async_trait, routes,
};
