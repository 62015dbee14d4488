//! Choreographed sagas.

pub mod prelude;
mod text_enum;

pub use bus;
pub use clock;
pub use engine;
pub use event;
#[cfg(feature = "suite")]
pub use quintet_suite as suite;
pub use service;
pub use service::http;
pub use store;

pub use clock::{Clock, Random, uuid_v7};
pub use engine::{
    Alarm, Attempt, CommandError, Effect, IdempotencyKey, Impossible, Input, Key, Never, Nobody,
    Outside, Participant, Reaction, Reply, Resolution, What,
};
pub use event::{
    AggregateKey, Contract, Earlier, EffectId, EventId, EventType, Subject, Trace, Versions,
    contract, derived,
};
#[cfg(feature = "suite")]
pub use quintet_suite::Program;
pub use service::http::{AggregatePath, Body, FromJson, Idempotency, Problem, TraceContext};
pub use service::{
    App, Arguments, Figure, Listed, NoConfig, Reference, Service, TableOf, answer, client, main,
    main_with, no_answer, provider_url,
};
pub use store::{
    Db, Migrations, Record, Rows, StoreError, Tx, migrations, parsed_field, record, text_field,
    uuid_field,
};

pub use text_enum::NotOneOf;

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
pub use utoipa_axum::{self, router::OpenApiRouter};
pub use uuid;

/// Makes newtypes over [`Uuid`](uuid::Uuid): ids, and the key of a saga's aggregates. Each can also be a column of a
/// [`record!`].
#[macro_export]
macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $crate::event::ids! { $($(#[doc = $doc])+ $name;)+ }
        $crate::uuid_field!($($name),+);
    };
}

/// Collects handlers that have a `#[utoipa::path]`, for [`OpenApiRouter::routes`]. One call takes the handlers of one
/// path.
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {{
        // What `utoipa_axum::routes!` expands to names `axum`.
        use $crate::axum;
        $crate::utoipa_axum::routes!($($handler),+)
    }};
}

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use event::private::serde;

    use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type, schema::SchemaType};

    /// How `OpenAPI` describes one of these texts.
    #[must_use]
    pub fn one_of(texts: &[&'static str]) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some(texts.iter().copied()))
            .into()
    }
}
