use std::time::Duration;

use tokio::time::{Instant, sleep};

/// What works needs a fraction of it, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two looks.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` gives something.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} in vain: {what}");
        sleep(POLL).await;
    }
}
