use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a scenario waits for anything. A working suite needs a fraction of it, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two evaluations of a condition.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` returns a value. `description` names the condition in the error.
pub async fn until<T>(description: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} in vain until {description}");
        sleep(POLL).await;
    }
}
