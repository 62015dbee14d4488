//! Interrupts a service in the middle of its database work.
//!
//! SQLite works on a thread of its own. At the drawn spot a hook of SQLite blocks that thread. The service then waits for an
//! answer, and its future is dropped at exactly that point, every time. Afterwards the hook lets SQLite go on: an open
//! transaction is rolled back, and a commit succeeds although the service does not learn of it.

use std::{
    future::Future,
    sync::{Arc, mpsc},
};

use anyhow::{Result, bail};
use store::{Db, SqliteHook};
use tokio::{select, sync::Notify};

use super::schedule::Spot;

/// Runs `work` on this database up to the spot. Returns `None` if the work was dropped there.
pub(crate) async fn up_to<T>(
    db: &Db,
    spot: Spot,
    work: impl Future<Output = T>,
) -> Result<Option<T>> {
    let reached = Arc::new(Notify::new());
    let (release, released) = mpsc::channel();
    set(db, spot, Hook { reached: Arc::clone(&reached), released: Some(released), left: 0 })
        .await?;
    let done = select! {
        biased;
        () = reached.notified() => None,
        done = work => Some(done),
    };
    // Sending fails if the work ended before the spot, and the hook is not waiting then.
    let _ = release.send(());
    clear(db).await?;
    Ok(done)
}

/// A hook of SQLite that blocks in one of its calls.
struct Hook {
    /// Notified when the hook blocks.
    reached: Arc<Notify>,
    /// Receives a message when the hook shall go on.
    released: Option<mpsc::Receiver<()>>,
    /// How many more calls there are up to the one in which it blocks.
    left: u64,
}

impl Hook {
    /// Blocks in the chosen call until released. True tells SQLite to go on.
    fn step(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0
            && let Some(released) = self.released.take()
        {
            self.reached.notify_one();
            // Receiving fails if the simulation has ended. Then the hook need not wait.
            let _ = released.recv();
        }
        true
    }
}

async fn set(db: &Db, spot: Spot, mut hook: Hook) -> Result<()> {
    let Some(writer) = db.sqlite_writer() else { bail!("only SQLite can be interrupted") };
    let (kind, nth) = match spot {
        // Every operation calls the hook.
        Spot::Operation(nth) => (SqliteHook::Operation, nth),
        Spot::Commit(nth) => (SqliteHook::Commit, nth),
        Spot::End => return Ok(()),
    };
    hook.left = nth;
    Ok(writer.set_hook(kind, move || hook.step()).await?)
}

async fn clear(db: &Db) -> Result<()> {
    let Some(writer) = db.sqlite_writer() else { return Ok(()) };
    Ok(writer.clear_hooks().await?)
}

#[cfg(test)]
mod tests {
    use store::StoreError;

    use super::*;

    /// Inserts two rows in one transaction.
    async fn write(db: &Db) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        tx.execute("insert into it values (1)", Vec::new()).await?;
        tx.execute("insert into it values (2)", Vec::new()).await?;
        tx.commit().await
    }

    async fn rows(db: &Db) -> usize {
        db.fetch("select * from it", Vec::new()).await.expect("the rows are read").len()
    }

    /// Writes up to the spot, and then once more. Returns whether the first write was interrupted, the number of rows after
    /// it, and the number of rows at the end.
    async fn written_up_to(spot: Spot) -> (bool, usize, usize) {
        let db = Db::connect("sqlite::memory:", 1).await.expect("a database");
        db.fetch("create table it (a)", Vec::new()).await.expect("a table");
        let done = up_to(&db, spot, write(&db)).await.expect("the hook is set");
        let after_first = rows(&db).await;
        write(&db).await.expect("the database goes on");
        (done.is_none(), after_first, rows(&db).await)
    }

    #[tokio::test]
    async fn an_interrupted_transaction_is_committed_whole_or_not_at_all() {
        let mut counts = Vec::new();
        for nth in 1.. {
            let (interrupted, after_first, at_end) = written_up_to(Spot::Operation(nth)).await;
            if !interrupted {
                break;
            }
            assert_eq!(at_end, after_first + 2, "at operation {nth}");
            counts.push(after_first);
        }
        // The last operations are those of the commit itself.
        assert!(counts.is_sorted() && counts.len() > 10, "{counts:?}");
        counts.dedup();
        assert_eq!(counts, [0, 2]);
    }

    #[tokio::test]
    async fn an_interrupted_commit_succeeds() {
        assert_eq!(written_up_to(Spot::Commit(1)).await, (true, 2, 4));
        assert_eq!(written_up_to(Spot::Commit(2)).await, (false, 2, 4));
    }
}
