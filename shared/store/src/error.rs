use std::error::Error as _;

use sqlx::{error::ErrorKind, migrate::MigrateError};
use tokio_postgres::{
    error::SqlState,
    types::{WasNull, WrongType},
};

/// Why the database, or the client of it, did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refused, or could not be reached.
    #[error("database: {}", .0.message())]
    Database(#[source] ClientError),
    /// The schema could not be brought up to date.
    #[error("migrating the database: {0}")]
    Migrate(#[source] ClientError),
    /// Two schemas were joined whose versions overlap.
    #[error(
        "migrating the database: version {after} ({description}) follows version {before}; give it a \
         version above {before} (a service's own begin at 1000)"
    )]
    MigrationOrder {
        /// The version before the wrong one.
        before: i64,
        /// The version that should be higher.
        after: i64,
        /// The description of the wrong version.
        description: &'static str,
    },
    /// A column holds a value that its type does not take.
    #[error("column {column} holds {value:?}, which is not {expected}")]
    Column {
        /// The column's position in the query, from 0.
        column: usize,
        /// The value.
        value: String,
        /// What the column should hold.
        expected: &'static str,
    },
    /// The address of the database cannot be used.
    #[error(
        "database.url {url:?}: {why}; use sqlite:PATH, sqlite::memory: or postgres://USER@HOST/DB"
    )]
    Url {
        /// The configured address, without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database took too long. Whether it did what it was asked is unknown.
    #[error(
        "the database has not answered in time: it is overloaded, it hangs, or the network drops what is \
         sent to it"
    )]
    TimedOut,
    /// The server accepts a connection and does not answer the queries on it.
    #[error(
        "the server of database.url accepts a connection and does not answer on it: a pooler in between \
         has no session of PostgreSQL left (set PgBouncer's default_pool_size to database.connections \
         + 2 for each replica of the service), or PostgreSQL hangs; the service retries until it answers"
    )]
    NoAnswer,
    /// PostgreSQL answers, but accepts no writes.
    #[error(
        "PostgreSQL is read-only: the server is a standby, or default_transaction_read_only is on; \
         the service retries until it accepts writes"
    )]
    ReadOnly,
    /// A pooler gives each transaction another session of the server.
    #[error(
        "database.url leads to a pooler that gives each transaction another session of PostgreSQL \
         (PgBouncer's pool_mode = transaction or statement), where prepared statements, settings of \
         the session and LISTEN do not work: set pool_mode = session for this database, or connect to \
         PostgreSQL itself"
    )]
    Pooled,
    /// The write-ahead log of a SQLite file has grown beyond its limit, and a reader keeps it from being emptied.
    #[error(
        "{file}-wal has {wal_mib} MiB, {file} and it may have {max_mib} MiB together \
         (database.max_mib): another program reads {file} and keeps the write-ahead log from being \
         emptied; end that program (a shell, a backup)"
    )]
    LogNotEmptied {
        /// The file of the database.
        file: String,
        /// The size of its write-ahead log.
        wal_mib: u64,
        /// The limit.
        max_mib: u64,
    },
    /// Some of the rows that a statement was to change or delete do not exist.
    #[error("{table}: not all of the {expected} rows to change or delete exist")]
    RowsMissing {
        /// The table.
        table: &'static str,
        /// How many rows were to be changed or deleted.
        expected: usize,
    },
    /// An optimistic insert failed: a key exists already, or the condition of the insert does not hold.
    #[error("{table}: a key exists already, or the condition of the insert does not hold")]
    OptimisticInsertFailed {
        /// The table.
        table: &'static str,
    },
    /// A precondition of the transaction does not hold.
    #[error("a precondition of the transaction does not hold")]
    PreconditionFailed,
}

/// An error of the client library of a database. Its text says what happened. [`StoreError::class`] and
/// [`StoreError::is_away`] say what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClientError(Client);

/// The error, by the library that it comes from.
#[derive(Debug, thiserror::Error)]
enum Client {
    #[error(transparent)]
    Sqlx(sqlx::Error),
    #[error(transparent)]
    Postgres(tokio_postgres::Error),
    #[error(transparent)]
    Migrate(MigrateError),
}

impl ClientError {
    /// The server's message, or else the client's.
    fn message(&self) -> String {
        match &self.0 {
            Client::Postgres(error) => message_of(error),
            other => other.to_string(),
        }
    }

    fn is_away(&self) -> bool {
        match &self.0 {
            Client::Migrate(
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
            )
            | Client::Sqlx(error) => {
                let is_sqlite = error.as_database_error().is_some_and(|error| {
                    error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
                });
                let lasts = is_sqlite || matches!(error, sqlx::Error::Configuration(_));
                !lasts && class_of(error) == Class::Unavailable
            }
            Client::Migrate(_) => false,
            Client::Postgres(_) => self.class() == Class::Unavailable,
        }
    }

    fn class(&self) -> Class {
        match &self.0 {
            Client::Sqlx(error) => class_of(error),
            Client::Postgres(error) => match error.code() {
                Some(state) => postgres_class(state.code()),
                // Without a code the error is the client's own: about a value of the wrong type, or about
                // the connection.
                None if is_of_data(error) => Class::Data,
                None => Class::Unavailable,
            },
            Client::Migrate(_) => Class::Unavailable,
        }
    }
}

/// What to do about a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Another transaction was faster: run the batch again at once.
    Conflict,
    /// The database refuses the data itself: the same batch would fail again.
    Data,
    /// The database is unavailable, full or overloaded: run the batch again later.
    Unavailable,
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const PG_UNIQUE_VIOLATION: &str = "23505";
const PG_DEADLOCK: &str = "40P01";
const PG_SERIALIZATION_FAILURE: &str = "40001";
const PG_LOCK_NOT_AVAILABLE: &str = "55P03";
const PG_DATA_CLASSES: [&str; 2] = ["22", "23"];

// https://www.sqlite.org/rescode.html, primary codes
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;

impl StoreError {
    pub(crate) fn sqlx(error: sqlx::Error) -> Self {
        Self::Database(ClientError(Client::Sqlx(error)))
    }

    pub(crate) fn postgres(error: tokio_postgres::Error) -> Self {
        Self::Database(ClientError(Client::Postgres(error)))
    }

    pub(crate) fn migrate(error: MigrateError) -> Self {
        Self::Migrate(ClientError(Client::Migrate(error)))
    }

    /// Whether waiting may help, because a server is unavailable for now. A wrong setting lasts, and so does an
    /// error of SQLite, whose file is on this machine.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Database(error) | Self::Migrate(error) => error.is_away(),
            Self::TimedOut | Self::NoAnswer | Self::ReadOnly => true,
            _ => false,
        }
    }

    /// Whether this session of PostgreSQL, or the whole server, accepts no writes.
    pub(crate) fn is_read_only(&self) -> bool {
        let read_only = Some(&SqlState::READ_ONLY_SQL_TRANSACTION);
        match self {
            Self::ReadOnly => true,
            Self::Database(ClientError(Client::Postgres(error))) => error.code() == read_only,
            _ => false,
        }
    }

    pub(crate) fn is_unique_violation(&self) -> bool {
        match self {
            Self::Database(ClientError(Client::Sqlx(error))) => error
                .as_database_error()
                .is_some_and(sqlx::error::DatabaseError::is_unique_violation),
            _ => false,
        }
    }

    /// How the engine should react to this error.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Database(error) => error.class(),
            Self::Column { .. } => Class::Data,
            Self::RowsMissing { .. }
            | Self::OptimisticInsertFailed { .. }
            | Self::PreconditionFailed => Class::Conflict,
            Self::Migrate(_)
            | Self::MigrationOrder { .. }
            | Self::Url { .. }
            | Self::TimedOut
            | Self::NoAnswer
            | Self::ReadOnly
            | Self::Pooled
            | Self::LogNotEmptied { .. } => Class::Unavailable,
        }
    }
}

/// The server's message, or else the client's.
pub(crate) fn message_of(error: &tokio_postgres::Error) -> String {
    let from_server = error.as_db_error().map(ToString::to_string);
    from_server
        .or_else(|| error.source().map(|cause| format!("{error}: {cause}")))
        .unwrap_or_else(|| error.to_string())
}

/// Whether a value has another type than its column, or is null where it must not be.
fn is_of_data(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<WrongType>() || cause.is::<WasNull>())
}

fn class_of(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                postgres_class(&code)
            } else {
                sqlite_class(error.kind(), &code)
            }
        }
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => {
            Class::Data
        }
        _ => Class::Unavailable,
    }
}

fn postgres_class(code: &str) -> Class {
    match code {
        PG_UNIQUE_VIOLATION | PG_DEADLOCK | PG_SERIALIZATION_FAILURE | PG_LOCK_NOT_AVAILABLE => {
            Class::Conflict
        }
        _ if PG_DATA_CLASSES.iter().any(|class| code.starts_with(class)) => Class::Data,
        _ => Class::Unavailable,
    }
}

fn sqlite_class(kind: ErrorKind, code: &str) -> Class {
    // The low byte of an extended result code is the primary code.
    match (kind, code.parse::<i32>().unwrap_or(0) & 0xff) {
        (ErrorKind::UniqueViolation, _) | (_, SQLITE_BUSY | SQLITE_LOCKED) => Class::Conflict,
        (_, SQLITE_CONSTRAINT | SQLITE_TOOBIG | SQLITE_MISMATCH) => Class::Data,
        _ => Class::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_states_have_the_class_that_says_what_helps() {
        assert_eq!(postgres_class("23505"), Class::Conflict);
        assert_eq!(postgres_class("40P01"), Class::Conflict);
        assert_eq!(postgres_class("22003"), Class::Data);
        assert_eq!(postgres_class("23514"), Class::Data);
        assert_eq!(postgres_class("57P01"), Class::Unavailable);
        assert_eq!(postgres_class("53100"), Class::Unavailable);
    }

    #[test]
    fn sqlite_codes_have_the_class_that_says_what_helps() {
        assert_eq!(sqlite_class(ErrorKind::UniqueViolation, "1555"), Class::Conflict);
        assert_eq!(sqlite_class(ErrorKind::Other, "517"), Class::Conflict);
        assert_eq!(sqlite_class(ErrorKind::CheckViolation, "275"), Class::Data);
        assert_eq!(sqlite_class(ErrorKind::Other, "13"), Class::Unavailable);
    }
}
