//! The durable ledger: one writer that commits requests in batches, and several readers.

mod books;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::Stream;
use serde::Serialize;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqlSafeStr as _, SqliteConnection};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::carrier::{self, Booking};
use crate::faults::FaultPlan;
use crate::payment::{self, Charge, Refund};
use crate::problem::Problem;

pub use books::{Books, Entry, Kind, Status};

/// The most requests in one transaction.
const BATCH: usize = 1_000;
/// The most requests that may wait in the writer's queue. Further callers wait until there is room.
const QUEUE: usize = 4_000;
/// Connections for reading: several, so that long reports do not delay the health check.
const READERS: u32 = 8;
/// How long the ledger waits for open reports when it closes.
const REPORTS_END: Duration = Duration::from_secs(1);

/// A body under its idempotency key.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// The idempotency key.
    pub key: String,
    /// The body in canonical form, by which repeats are compared.
    pub request: String,
    /// The body.
    pub body: T,
}

impl<T: Serialize> Keyed<T> {
    /// Puts `body` under `key`.
    pub fn new(key: String, body: T) -> Self {
        let request = books::json(&body);
        Self { key, request, body }
    }
}

/// A mail as the sink received it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The Message-ID without its angle brackets.
    pub message_id: String,
    /// The order that it names, or an empty text.
    pub order_id: String,
    /// The addressees, separated by commas.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
}

/// A request to record something in the ledger.
#[derive(Clone, Debug)]
pub enum Request {
    /// Take money.
    Charge(Keyed<Charge>),
    /// Give money back.
    Refund(Keyed<Refund>),
    /// Send a parcel.
    Booking(Keyed<Booking>),
    /// Store a mail.
    Mail(Mail),
    /// Store the fault knobs.
    Faults(FaultPlan),
}

/// The outcome of a request, after its commit.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A definite answer.
    Answered(Entry),
    /// The request is recorded, but its answer must not arrive.
    AnswerLost,
    /// The provider failed the request by chance; nothing is recorded.
    TurnedAway,
    /// The request is not acceptable; nothing is recorded.
    Rejected(Problem),
    /// A mail or the knobs are stored.
    Stored,
}

/// Why the ledger could not be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file cannot be opened or brought up to date.
    #[error("cannot open the ledger {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: sqlx::Error,
    },
    /// A transaction failed, its outcome is unknown, or the ledger is closing.
    #[error("the ledger gave no confirmation")]
    NotCommitted,
    /// The ledger cannot be read.
    #[error("cannot read the ledger: {0}")]
    Read(#[from] sqlx::Error),
    /// The stored knobs cannot be parsed.
    #[error("cannot read the stored fault knobs: {0}")]
    Knobs(#[from] serde_json::Error),
}

/// A handle to the open ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    writer: mpsc::Sender<Job>,
    readers: SqlitePool,
}

/// Closes the ledger once everything in the writer's queue is committed.
#[derive(Debug)]
pub struct Closing {
    close: oneshot::Sender<()>,
    writer: JoinHandle<()>,
    readers: SqlitePool,
}

#[derive(Debug)]
struct Job {
    request: Request,
    reply: oneshot::Sender<Result<Outcome, LedgerError>>,
}

impl Ledger {
    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    /// If it cannot be opened, written or migrated.
    pub async fn open(path: &Path) -> Result<(Self, Closing), LedgerError> {
        let (connection, readers) = connect(path)
            .await
            .map_err(|source| LedgerError::Open { path: path.to_owned(), source })?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (close, closing) = oneshot::channel();
        let writer = tokio::spawn(write(connection, queue, closing));
        let ledger = Self { writer: jobs, readers: readers.clone() };
        let closing = Closing { close, writer, readers };
        Ok((ledger, closing))
    }

    /// Records a request and returns its outcome after the commit.
    ///
    /// # Errors
    /// If the request could not be committed, or it is unknown whether it was.
    pub async fn record(&self, request: Request) -> Result<Outcome, LedgerError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job { request, reply };
        let queued = self.writer.send(job).await;
        queued.map_err(|_| LedgerError::NotCommitted)?;
        outcome.await.map_err(|_| LedgerError::NotCommitted)?
    }

    /// The stored fault knobs.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn faults(&self) -> Result<FaultPlan, LedgerError> {
        let stored: Option<String> =
            sqlx::query_scalar("select value from knobs").fetch_optional(&self.readers).await?;
        let plan = stored.map(|plan| serde_json::from_str(&plan)).transpose()?;
        Ok(plan.unwrap_or_default())
    }

    /// Checks that the ledger can be read.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn ready(&self) -> Result<(), LedgerError> {
        sqlx::query("select 1").execute(&self.readers).await?;
        Ok(())
    }

    /// The ledger, or one order's part of it, as JSON: the pieces of one consistent snapshot.
    pub fn report(
        &self,
        order_id: Option<String>,
    ) -> impl Stream<Item = Result<Vec<u8>, sqlx::Error>> + Send + 'static {
        report::stream(self.readers.clone(), order_id)
    }
}

impl Closing {
    /// Commits what is queued, then closes the file.
    pub async fn close(self) {
        // The readers close first: the last connection to close merges the write-ahead log into the file, which a
        // read-only connection cannot do. A report that is not read to its end must not keep the process from
        // ending.
        let closed = timeout(REPORTS_END, self.readers.close()).await;
        if closed.is_err() {
            tracing::warn!("the ledger closes while a report is still being read");
        }
        // Sending fails only if the writer has ended already.
        let _ = self.close.send(());
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the ledger's writer failed");
        }
    }
}

/// Creates the ledger's tables. A migration never changes once it is released, because its checksum is stored.
fn migrator() -> Migrator {
    let sql = include_str!("../migrations/0001_ledger.sql").into_sql_str();
    let tables = Migration::new(1, "ledger".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![tables])
}

async fn connect(path: &Path) -> Result<(SqliteConnection, SqlitePool), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    migrator().run(&mut connection).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.read_only(true).create_if_missing(false))
        .await?;
    Ok((connection, readers))
}

async fn write(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Job>,
    mut closing: oneshot::Receiver<()>,
) {
    let mut jobs = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            _ = &mut closing, if !queue.is_closed() => queue.close(),
            taken = queue.recv_many(&mut jobs, BATCH) => if taken == 0 { break },
        }
        if jobs.is_empty() {
            continue;
        }
        match commit(&mut connection, &jobs).await {
            Ok(outcomes) => {
                for (job, outcome) in jobs.drain(..).zip(outcomes) {
                    // If the caller is gone, it will repeat the request under the same key.
                    let _ = job.reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = jobs.len(), "the ledger could not commit");
                for job in jobs.drain(..) {
                    let _ = job.reply.send(Err(LedgerError::NotCommitted));
                }
            }
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the ledger was not closed cleanly");
    }
}

/// Applies a whole batch in one transaction.
async fn commit(
    connection: &mut SqliteConnection,
    jobs: &[Job],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let requests = jobs.iter().map(|job| &job.request);
    let mut books = Books::load(&mut transaction, requests.clone()).await?;
    let mut mails = Vec::new();
    let mut plan = None;
    let outcomes = requests
        .map(|request| match request {
            Request::Charge(sent) => payment::charge(&mut books, sent),
            Request::Refund(sent) => payment::refund(&mut books, sent),
            Request::Booking(sent) => carrier::book(&mut books, sent),
            Request::Mail(mail) => {
                mails.push(mail);
                Outcome::Stored
            }
            Request::Faults(latest) => {
                plan = Some(latest);
                Outcome::Stored
            }
        })
        .collect();
    books.save(&mut transaction).await?;
    store_mails(&mut transaction, &mails).await?;
    if let Some(plan) = plan {
        store_faults(&mut transaction, plan).await?;
    }
    transaction.commit().await?;
    Ok(outcomes)
}

async fn store_mails(
    connection: &mut SqliteConnection,
    mails: &[&Mail],
) -> Result<(), sqlx::Error> {
    if mails.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into mail (message_id, order_id, recipient, subject, copies)
         select value ->> 'message_id', value ->> 'order_id', value ->> 'to', value ->> 'subject', 1
         from json_each(?) where true
         on conflict (message_id) do update set copies = copies + 1",
    )
    .bind(books::json(&mails))
    .execute(connection)
    .await?;
    Ok(())
}

async fn store_faults(
    connection: &mut SqliteConnection,
    plan: &FaultPlan,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into knobs (id, value) values (1, ?)
         on conflict (id) do update set value = excluded.value",
    )
    .bind(books::json(plan))
    .execute(connection)
    .await?;
    Ok(())
}
