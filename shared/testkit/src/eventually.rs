//! Waits for conditions in tests.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take. A condition of a passing test needs a fraction of it.
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` returns a value.
///
/// # Panics
/// If it has returned none after 30 seconds. The message contains `what`, the name of the condition.
pub async fn eventually<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, condition).await
}

async fn within<T>(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what}");
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn eventually_waits_for_the_condition() {
        let mut polls = 0;
        let found = eventually("the third poll", async || {
            polls += 1;
            (polls == 3).then_some(polls)
        });
        assert_eq!(found.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: a value that never comes")]
    async fn the_panic_names_the_condition() {
        within(Duration::ZERO, "a value that never comes", async || None::<()>).await;
    }
}
