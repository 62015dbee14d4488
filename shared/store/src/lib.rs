//! Two databases, each query once.
//!
//! SQL is written with `$1` placeholders, which SQLite and PostgreSQL both take. What differs
//! between them (`unnest` against multi-row `values`, `for update`, how a transaction begins)
//! is in this crate and nowhere else.
//!
//! - [`Db`] and [`Tx`]: a connection pool and a transaction of either kind.
//! - [`record!`] describes a state row once; [`Rows`] loads, changes and saves a batch of them in
//!   three statements.
//! - [`RowCache`]: state rows as the last batches left them, for the only process that writes them.
//! - [`Condition`]: what a transaction relies on.
//! - [`Value`] and [`Field`]: what a column can hold.
//! - [`migrations!`] embeds the SQL files of a schema; [`Db::migrate`] runs them.
//! - [`Listener`]: notifications between the processes that use one PostgreSQL database.
//! - `tls`, with the cargo feature of that name: which servers are trusted.

mod bulk;
mod connections;
mod db;
mod discard;
mod error;
mod ids;
mod listen;
mod migrate;
mod postgres;
mod preconditions;
mod row_cache;
mod rows;
mod table;
#[cfg(feature = "tls")]
pub mod tls;
mod tx;
mod value;
mod wal;

pub use connections::{Held, SqliteHook, SqliteWriter};
pub use db::{Db, DbKind};
pub use error::{Class, ClientError, StoreError};
pub use listen::Listener;
pub use migrate::{Migration, Migrations};
pub use preconditions::Condition;
pub use row_cache::RowCache;
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

    /// The result of reading a column.
    pub type Result<T> = core::result::Result<T, crate::StoreError>;
}
