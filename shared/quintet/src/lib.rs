#![doc = include_str!("../tutorial/tutorial.md")]
//!
//! # Modules
//!
//! The names that most services need are at the root, and most of these in the [`prelude`]. The rest of the library is in
//! the modules [`event`], [`engine`], [`store`], [`service`], [`http`], [`bus`], [`clock`] and [`suite`]. Crates whose types
//! occur in signatures, such as [`axum`] and [`utoipa`], are re-exported, so that a service uses the same versions.

mod macros;
pub mod prelude;
mod text_enum;

/// Brokers: Kafka, the log in a file, and one in memory.
pub use bus;
/// Time and randomness, which are passed in.
pub use clock;
/// The engine, which runs a [`Participant`].
pub use engine;
/// Contracts and their form on the wire.
pub use event;
/// The launcher of a saga's services.
#[cfg(feature = "suite")]
pub use quintet_suite as suite;
/// Runs a participant as a process.
pub use service;
/// The parts of HTTP routes.
pub use service::http;
/// Rows, in SQLite and PostgreSQL.
pub use store;

#[doc = include_str!("../docs/time.md")]
pub use clock::Clock;
/// [`Clock`] has an example.
pub use clock::{Random, uuid_v7};

#[doc = include_str!("../docs/participant.md")]
pub use engine::Participant;
/// [`Participant`] has an example.
pub use engine::{Input, Key, Reaction, What};

#[doc = include_str!("../docs/reply.md")]
pub use engine::Reply;
/// [`Reply`] has an example.
pub use engine::{CommandError, IdempotencyKey};

#[doc = include_str!("../docs/never.md")]
pub use engine::Never;
/// [`Never`] has an example.
pub use engine::NoEffects;

#[doc = include_str!("../docs/outside.md")]
pub use engine::Outside;
/// [`Outside`] has an example.
pub use engine::{Attempt, Effect, Impossible, Resolution};

#[doc = include_str!("../docs/alarm.md")]
pub use engine::Alarm;

#[doc = include_str!("../docs/inject_bug.md")]
pub use engine::inject_bug;

#[doc = include_str!("../docs/contract.md")]
pub use event::Contract;
/// [`Contract`] has an example.
pub use event::{AggregateKey, EventType, Subject, Versions, contract};

#[doc = include_str!("../docs/earlier.md")]
pub use event::Earlier;

#[doc = include_str!("../docs/ids.md")]
pub use event::EventId;
/// [`EventId`] has an example.
pub use event::{EffectId, Trace, derived};

#[doc = include_str!("../docs/http.md")]
pub use service::http::Body;
/// [`Body`] has an example.
pub use service::http::{AggregatePath, FromJson, Idempotency, Problem, TraceContext};

#[doc = include_str!("../docs/service.md")]
pub use service::Service;
/// [`Service`] has an example.
pub use service::{App, Arguments, Figure, Listed, NoConfig, TableOf, main, main_with};

#[doc = include_str!("../docs/provider.md")]
pub use service::answer;
/// [`answer`](fn@answer) has an example.
pub use service::{Reference, client, no_answer, provider_url};

#[doc = include_str!("../docs/rows.md")]
pub use store::Rows;
/// [`Rows`] has an example.
pub use store::{Db, Migrations, Record, StoreError, Tx, migrations, record};

#[doc = include_str!("../docs/fields.md")]
pub use store::parsed_field;
/// [`parsed_field!`] has an example.
pub use store::{text_field, uuid_field};

pub use text_enum::NotOneOf;

#[cfg(feature = "suite")]
pub use quintet_suite::Program;

// Crates whose types occur in signatures, in the versions of this library.
pub use anyhow;
pub use async_trait::async_trait;
pub use axum;
#[cfg(feature = "suite")]
pub use clap;
pub use jiff;
pub use prometheus_client;
pub use reqwest;
pub use serde_json;
pub use utoipa;
pub use utoipa_axum;
/// [`routes!`] has an example.
pub use utoipa_axum::router::OpenApiRouter;
pub use uuid;

/// Items that the macros of this crate expand to. They are not part of the interface.
#[doc(hidden)]
pub mod private {
    pub use event::private::serde;

    use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type, schema::SchemaType};

    /// The `OpenAPI` schema of a text that is one of these.
    #[must_use]
    pub fn one_of(texts: &[&'static str]) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some(texts.iter().copied()))
            .into()
    }
}
