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
