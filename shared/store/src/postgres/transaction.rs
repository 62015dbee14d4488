//! A transaction with pipelined statements.
//!
//! - [`Transaction::execute_later`] sends a statement and returns without its answer.
//! - [`Transaction::fetch`], [`Transaction::execute`] and [`Transaction::commit`] send a statement and wait: for
//!   all earlier answers, and then for their own. The first failure among them is the result.
//!
//! After a failed statement PostgreSQL refuses all that follow and turns COMMIT into ROLLBACK. So an unread
//! failure can never be committed over, and the wait in `commit` at the latest returns it.

use std::{pin::Pin, sync::Arc};

use deadpool_postgres::Object;
use futures::{FutureExt, TryFutureExt};
use tokio_postgres::error::SqlState;

use super::Parameters;
use crate::{Row, StoreError, Value, bulk::CONDITION_FAILED, tx::Native};

/// The answer to a statement that was sent.
type Answer = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// A transaction on PostgreSQL. Its BEGIN is pipelined too.
pub(crate) struct Transaction {
    /// `Some` until this is dropped.
    connection: Option<Arc<Object>>,
    /// The answers to statements that were sent, in their order, as far as they were not awaited.
    unread: Vec<Answer>,
    /// A call is waiting for an answer. If this is dropped meanwhile, the server has taken too long.
    waiting: bool,
    /// The session is read-only, and may stay so when the server accepts writes again.
    read_only: bool,
    committed: bool,
}

/// How a pipelined statement reports that one of its preconditions failed.
pub(crate) struct ReportedAs {
    /// The server's codes that mean it.
    pub(crate) states: &'static [SqlState],
    /// The error that takes the place of the server's.
    pub(crate) error: StoreError,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(super) fn begin(connection: Object, statements: &str) -> Result<Self, StoreError> {
        let connection = Arc::new(connection);
        let mut begun = Self {
            connection: Some(Arc::clone(&connection)),
            unread: Vec::new(),
            waiting: false,
            read_only: false,
            committed: false,
        };
        let statements = statements.to_owned();
        begun.send(async move {
            connection.batch_execute(&statements).await.map_err(StoreError::postgres)
        })?;
        Ok(begun)
    }

    fn connection(&self) -> Arc<Object> {
        self.connection.clone().expect("a transaction has its connection until it is dropped")
    }

    /// Sends a statement now. The next call of [`Transaction::wait`] reads its answer.
    fn send(
        &mut self,
        statement: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut statement: Answer = Box::pin(statement);
        // The client sends a statement when its future is polled first.
        if let Some(answer) = statement.as_mut().now_or_never() {
            return answer;
        }
        self.unread.push(statement);
        Ok(())
    }

    /// Sends the statement `last` and waits for all answers up to its own. The first failure is the result.
    async fn wait<T>(
        &mut self,
        last: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut last = Box::pin(last);
        // Polled before the earlier answers are awaited, so that it is sent right behind their statements.
        let early = last.as_mut().now_or_never();
        self.waiting = true;
        let mut failed = None;
        for answer in std::mem::take(&mut self.unread) {
            failed = failed.or(answer.await.err());
        }
        let last = match (failed, early) {
            (Some(error), _) => Err(error),
            (None, Some(done)) => done,
            (None, None) => last.await,
        };
        self.waiting = false;
        self.read_only |= last.as_ref().is_err_and(StoreError::is_read_only);
        last
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: &str,
        values: Parameters,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection();
        let rows = self
            .wait(
                async {
                    let statement = connection.prepare_cached(sql).await?;
                    connection.query(&statement, &values.borrowed()).await
                }
                .map_err(StoreError::postgres),
            )
            .await?;
        Ok(rows.into_iter().map(|row| Row(Native::Postgres(row))).collect())
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &str,
        values: Parameters,
    ) -> Result<u64, StoreError> {
        let connection = self.connection();
        self.wait(
            async {
                let statement = connection.prepare_cached(sql).await?;
                connection.execute(&statement, &values.borrowed()).await
            }
            .map_err(StoreError::postgres),
        )
        .await
    }

    /// Sends a statement without waiting for its answer. If the server's answer has one of the codes in
    /// `reported`, a later call fails with the error in `reported`.
    pub(crate) async fn execute_later(
        &mut self,
        sql: &str,
        values: Parameters,
        reported: Option<ReportedAs>,
    ) -> Result<(), StoreError> {
        let connection = self.connection();
        let mut preparing = Box::pin(connection.prepare_cached(sql).map_err(StoreError::postgres));
        // Only the first time on this connection does it have to wait.
        let statement = match preparing.as_mut().now_or_never() {
            Some(cached) => cached?,
            None => self.wait(preparing).await?,
        };
        let connection = self.connection();
        self.send(async move {
            match (connection.execute(&statement, &values.borrowed()).await, reported) {
                (Err(error), Some(ReportedAs { states, error: reported }))
                    if error.code().is_some_and(|state| states.contains(state)) =>
                {
                    Err(reported)
                }
                (done, _) => done.map(drop).map_err(StoreError::postgres),
            }
        })
    }

    /// Sends the statement `change`, which is to update or delete `expected` rows of `table`. No code reads its
    /// row count. Instead the statement divides by zero if it finds fewer rows, and a later call fails with
    /// [`StoreError::RowsMissing`].
    pub(crate) async fn change_later(
        &mut self,
        change: &str,
        values: Parameters,
        table: &'static str,
        expected: usize,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "with found as ({change} returning 1) select 1 / (count(*) = ${})::int from found",
            values.borrowed().len() + 1
        );
        let count = i64::try_from(expected).unwrap_or(i64::MAX);
        let error = StoreError::RowsMissing { table, expected };
        let values = values.and(vec![Value::Int(count)]);
        let reported = ReportedAs { states: CONDITION_FAILED, error };
        self.execute_later(&sql, values, Some(reported)).await
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let connection = self.connection();
        // If an earlier statement failed, the server rolls back, and `wait` returns that failure.
        let committed = connection.batch_execute("commit").map_err(StoreError::postgres);
        self.wait(committed).await?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.unread.clear();
        let Some(connection) = self.connection.take().filter(|_| !self.committed) else { return };
        if self.waiting || self.read_only {
            // The connection may never answer, or never accept writes again. It is closed instead of going
            // back to the pool, and the server rolls back.
            Arc::into_inner(connection).map(Object::take);
        } else {
            // Sent before any statement of the connection's next user.
            let _ = Box::pin(connection.batch_execute("rollback")).now_or_never();
        }
    }
}
