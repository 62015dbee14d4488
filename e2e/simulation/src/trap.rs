//! Stops a service in the middle of its database.
//!
//! SQLite works on a thread of its own. Where it is to be caught, its hook stands still; the service
//! can get no answer then, and is dropped at just that point, every time. Afterwards the hook goes on:
//! an open transaction finds nobody and is rolled back, a commit goes through unheard.

use std::{
    future::Future,
    sync::{Arc, mpsc},
};

use anyhow::{Result, bail};
use store::Db;
use tokio::{select, sync::Notify};

use crate::schedule::Spot;

/// Does `work` on this database, but only up to the spot: `None` if it was dropped there.
pub(crate) async fn up_to<T>(
    db: &Db,
    spot: Spot,
    work: impl Future<Output = T>,
) -> Result<Option<T>> {
    let reached = Arc::new(Notify::new());
    let (release, released) = mpsc::channel();
    set(db, spot, Snare { reached: Arc::clone(&reached), released: Some(released), left: 0 })
        .await?;
    let done = select! {
        biased;
        () = reached.notified() => None,
        done = work => Some(done),
    };
    // Fails if nobody was caught.
    let _ = release.send(());
    clear(db).await?;
    Ok(done)
}

struct Snare {
    reached: Arc<Notify>,
    released: Option<mpsc::Receiver<()>>,
    left: u64,
}

impl Snare {
    /// Stands still the so-manieth time, until released. True: the database may go on.
    fn step(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0
            && let Some(released) = self.released.take()
        {
            self.reached.notify_one();
            // Fails if the simulation is gone; then nobody is left to wait for.
            let _ = released.recv();
        }
        true
    }
}

async fn set(db: &Db, spot: Spot, mut snare: Snare) -> Result<()> {
    let Db::Sqlite { writer, .. } = db else { bail!("only SQLite can be stopped in the middle") };
    let mut connection = writer.acquire().await?;
    let mut handle = connection.lock_handle().await?;
    match spot {
        // Each operation counts: what had been counted before must make no difference.
        Spot::Operation(nth) => {
            snare.left = nth;
            handle.set_progress_handler(1, move || snare.step());
        }
        Spot::Commit(nth) => {
            snare.left = nth;
            handle.set_commit_hook(move || snare.step());
        }
        Spot::End => {}
    }
    Ok(())
}

async fn clear(db: &Db) -> Result<()> {
    let Db::Sqlite { writer, .. } = db else { return Ok(()) };
    let mut connection = writer.acquire().await?;
    let mut handle = connection.lock_handle().await?;
    handle.remove_progress_handler();
    handle.remove_commit_hook();
    Ok(())
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
