//! Interrupts a service in the middle of its database work.
//!
//! SQLite works on a thread of its own. At the spot of the interruption a hook of SQLite blocks that thread. The
//! service can get no answer then, and its future is dropped at exactly that point, every time. Afterwards the hook
//! lets SQLite go on: an open transaction is rolled back, and a commit goes through without the service hearing of it.

use std::{
    future::Future,
    sync::{Arc, mpsc},
};

use anyhow::{Result, bail};
use store::{Db, SqliteHook};
use tokio::{select, sync::Notify};

use super::schedule::Spot;

/// Does `work` on this database up to the spot. `None` if the work was dropped there.
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
    // This fails if the work ended before the spot.
    let _ = release.send(());
    clear(db).await?;
    Ok(done)
}

struct Hook {
    reached: Arc<Notify>,
    released: Option<mpsc::Receiver<()>>,
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
            // This fails if the simulation has ended; then there is nothing to wait for.
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

    /// Two rows.
    async fn write(db: &Db) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        tx.execute("insert into it values (1)", Vec::new()).await?;
        tx.execute("insert into it values (2)", Vec::new()).await?;
        tx.commit().await
    }

    async fn rows(db: &Db) -> usize {
        db.fetch("select * from it", Vec::new()).await.expect("it is read").len()
    }

    /// Whether the write was caught, how many rows are there then, and after one more write.
    async fn written_up_to(spot: Spot) -> (bool, usize, usize) {
        let db = Db::connect("sqlite::memory:", 1).await.expect("a database");
        db.fetch("create table it (a)", Vec::new()).await.expect("a table");
        let done = up_to(&db, spot, write(&db)).await.expect("a trap");
        let before = rows(&db).await;
        write(&db).await.expect("the database goes on");
        (done.is_none(), before, rows(&db).await)
    }

    #[tokio::test]
    async fn a_transaction_that_is_caught_is_there_whole_or_not_at_all() {
        let mut came = Vec::new();
        for nth in 1.. {
            let (caught, before, after) = written_up_to(Spot::Operation(nth)).await;
            if !caught {
                break;
            }
            assert_eq!(after, before + 2, "at operation {nth}");
            came.push(before);
        }
        // The last operations are those of the commit itself.
        assert!(came.is_sorted() && came.len() > 10, "{came:?}");
        came.dedup();
        assert_eq!(came, [0, 2]);
    }

    #[tokio::test]
    async fn a_commit_that_is_caught_goes_through() {
        assert_eq!(written_up_to(Spot::Commit(1)).await, (true, 2, 4));
        assert_eq!(written_up_to(Spot::Commit(2)).await, (false, 2, 4));
    }
}
