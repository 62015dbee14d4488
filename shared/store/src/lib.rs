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
//! - [`Listener`]: what processes on one PostgreSQL database tell each other.
//! - `tls`, with the cargo feature of that name: which servers are trusted.

mod alone;
mod bulk;
mod contract;
mod db;
mod discard;
mod error;
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
pub use db::{Db, Kind as DbKind};
pub use error::{Class, StoreError};
pub use kept::Kept;
pub use listen::Listener;
pub use migrate::Migrations;
pub use rows::Rows;
pub use table::{Column, Record, Table};
pub use tx::{Row, Tx};
pub use value::{Field, Json, Kind, Value};
pub use wal::Bound;

/// Re-exported for [`record!`] and [`text_field!`], which expand in other crates.
#[doc(hidden)]
pub use sqlx;
