//! Two databases, each query once.
//!
//! SQL is written with `$1` placeholders, which SQLite and PostgreSQL both take. What differs
//! between them (`unnest` against multi-row `values`, `for update`, how a transaction begins)
//! lives in this crate and nowhere else.
//!
//! - [`Db`] and [`Tx`]: a connection pool and a transaction of either kind.
//! - [`record!`] describes a state row once; [`Rows`] loads, changes and saves a batch of them in
//!   three statements.
//! - [`Kept`]: state rows as the last batches left them, for who has the tables to itself.
//! - [`Value`] and [`Field`]: what a column can hold.
//! - [`migrations!`] embeds the SQL files of a schema; [`Db::migrate`] runs them.
//! - [`Listener`]: what processes on one PostgreSQL database tell each other.
//! - `tls`, with the cargo feature of that name: which servers are trusted.

mod alone;
mod bulk;
mod connections;
mod db;
mod discard;
mod error;
mod ids;
mod kept;
mod listen;
mod migrate;
mod postgres;
mod rows;
mod table;
#[cfg(feature = "tls")]
pub mod tls;
mod tx;
mod value;
mod wal;

pub use alone::Condition;
pub use connections::{Held, SqliteHook, SqliteWriter};
pub use db::{Db, Kind as DbKind};
pub use error::{Class, ClientError, StoreError};
pub use kept::Kept;
pub use listen::Listener;
pub use migrate::{Migration, Migrations};
pub use rows::Rows;
pub use table::{Column, Record, Table};
pub use tx::{Row, Tx};
pub use value::{Field, Json, Kind, Value};

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use crate::value::parsed;
    pub use store_macros::embed_migrations;
    pub use uuid::Uuid;

    /// What reading a column comes to.
    pub type Result<T> = core::result::Result<T, crate::StoreError>;
}
