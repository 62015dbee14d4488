use std::{pin::Pin, sync::Arc};

use deadpool_postgres::Object;
use futures::{FutureExt, TryFutureExt};
use tokio_postgres::error::SqlState;

use super::Parameters;
use crate::{Row, StoreError, Value, bulk::NOT_SO, tx::Native};

/// What came of a statement that nobody waited for.
type Later = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// A transaction on PostgreSQL, which has begun by the time of its first answer.
pub(crate) struct Transaction {
    /// There until this is dropped.
    connection: Option<Arc<Object>>,
    /// Sent, in this order, and not looked at yet.
    sent: Vec<Later>,
    /// An answer is being awaited: whoever drops this now has lost patience with the server.
    waiting: bool,
    /// The session is read-only, and may stay so when the server takes changes again.
    read_only: bool,
    ended: bool,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("sent", &self.sent.len()).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(super) fn begin(connection: Object, statements: &str) -> Result<Self, StoreError> {
        let connection = Arc::new(connection);
        let mut begun = Self {
            connection: Some(Arc::clone(&connection)),
            sent: Vec::new(),
            waiting: false,
            read_only: false,
            ended: false,
        };
        let statements = statements.to_owned();
        begun.send(async move {
            connection.batch_execute(&statements).await.map_err(StoreError::postgres)
        })?;
        Ok(begun)
    }

    fn connection(&self) -> Arc<Object> {
        self.connection.clone().expect("it is there until this is dropped")
    }

    /// Sends it now. What comes of it is told by whatever is awaited next.
    fn send(
        &mut self,
        statement: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut statement: Later = Box::pin(statement);
        // The client sends when it is first asked.
        if let Some(failed) = statement.as_mut().now_or_never() {
            return failed;
        }
        self.sent.push(statement);
        Ok(())
    }

    /// Waits for this answer, and for all before it, the first failure of which is the one that counts.
    async fn settle<T>(
        &mut self,
        last: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut last = Box::pin(last);
        let early = last.as_mut().now_or_never();
        self.waiting = true;
        let mut failed = None;
        for sent in std::mem::take(&mut self.sent) {
            failed = failed.or(sent.await.err());
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
            .settle(
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
        self.settle(
            async {
                let statement = connection.prepare_cached(sql).await?;
                connection.execute(&statement, &values.borrowed()).await
            }
            .map_err(StoreError::postgres),
        )
        .await
    }

    /// Sends a statement whose rows nobody needs. `else_said` is the error instead of those by which
    /// this statement says that what it relied on is not so.
    pub(crate) async fn execute_later(
        &mut self,
        sql: &str,
        values: Parameters,
        else_said: Option<(&'static [SqlState], StoreError)>,
    ) -> Result<(), StoreError> {
        let connection = self.connection();
        let mut preparing = Box::pin(connection.prepare_cached(sql).map_err(StoreError::postgres));
        // Known already but for the first time.
        let statement = match preparing.as_mut().now_or_never() {
            Some(known) => known?,
            None => self.settle(preparing).await?,
        };
        let connection = self.connection();
        self.send(async move {
            match (connection.execute(&statement, &values.borrowed()).await, else_said) {
                (Err(error), Some((states, said)))
                    if error.code().is_some_and(|state| states.contains(state)) =>
                {
                    Err(said)
                }
                (done, _) => done.map(drop).map_err(StoreError::postgres),
            }
        })
    }

    /// Sends a change of so many rows of a table. Nobody waits for the count: if fewer were there the
    /// statement divides by zero, which comes to be [`StoreError::Vanished`].
    pub(crate) async fn change_later(
        &mut self,
        change: &str,
        values: Parameters,
        (table, expected): (&'static str, usize),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "with found as ({change} returning 1) select 1 / (count(*) = ${})::int from found",
            values.borrowed().len() + 1
        );
        let count = i64::try_from(expected).unwrap_or(i64::MAX);
        let vanished = StoreError::Vanished { table, expected };
        let values = values.and(vec![Value::Int(count)]);
        self.execute_later(&sql, values, Some((NOT_SO, vanished))).await
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let connection = self.connection();
        // After an earlier failure the server takes it for a rollback, and that failure is told.
        let committed = connection.batch_execute("commit").map_err(StoreError::postgres);
        self.settle(committed).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.sent.clear();
        let Some(connection) = self.connection.take().filter(|_| !self.ended) else { return };
        if self.waiting || self.read_only {
            // It may never answer, or take no changes any more: the next user gets another one, and the server rolls back.
            Arc::into_inner(connection).map(Object::take);
        } else {
            // Sent before anything that the connection's next user sends.
            let _ = Box::pin(connection.batch_execute("rollback")).now_or_never();
        }
    }
}
