//! Reads the bus into the hub.
//!
//! | what fails | what happens |
//! |---|---|
//! | the broker is away | the reader waits; subscribers get nothing meanwhile, and lose nothing |
//! | the reader fails for a while | another reader goes on at the frontier |
//! | the next record does not exist | every subscriber is told [`super::Reset::Gone`], and the feed goes on at the end of the bus |
//! | the bus fails in a way that does not pass | the feed stops, and with it each subscription |

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{BusError, LogThrottle, Reader, Start};

use super::Shared;

/// How many records are read at once.
const CHUNK: usize = 1_000;
/// The pause before another attempt to read.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Publishes until the feed is stopped.
pub(super) async fn run(shared: Arc<Shared>, reader: Box<dyn Reader>) {
    let mut stopped = shared.stopped.subscribe();
    tokio::select! {
        // Cannot fail: the sender is in `shared`.
        _ = stopped.wait_for(|stopped| *stopped) => {}
        error = pump(&shared, reader) => {
            tracing::error!(%error, "the live feed stops: the bus cannot be read");
            shared.stop();
        }
    }
}

/// Publishes until the bus fails in a way that does not pass.
async fn pump(shared: &Shared, mut reader: Box<dyn Reader>) -> BusError {
    let throttle = LogThrottle::default();
    loop {
        let mut error = match reader.receive(CHUNK).await {
            Ok(records) => {
                shared.publish(records);
                continue;
            }
            Err(error) => error,
        };
        reader = loop {
            let is_gap = matches!(error, BusError::OutOfReach);
            if !is_gap && !error.is_transient() {
                return error;
            }
            if throttle.should_log(&error.to_string(), Instant::now()) {
                tracing::warn!(%error, "the live feed reads the bus anew");
            }
            match reopen(shared, is_gap).await {
                Ok(reader) => break reader,
                Err(another) => error = another,
            }
            tokio::time::sleep(RETRY).await;
        };
    }
}

/// A reader that goes on at the frontier. If the record there does not exist, the feed goes on at the end, and says so.
async fn reopen(shared: &Shared, is_gap: bool) -> Result<Box<dyn Reader>, BusError> {
    if is_gap {
        let reader = shared.reader(Start::End).await?;
        shared.reset(reader.positions().into());
        return Ok(reader);
    }
    let frontier = shared.frontier().next.start();
    shared.reader(frontier).await
}
