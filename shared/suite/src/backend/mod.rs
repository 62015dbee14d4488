//! What the suite stands on when it is not files: PostgreSQL and Kafka. Waiting for them, making
//! databases, and wiping exactly what a suite made.

pub mod kafka;
pub mod postgres;

use std::time::Duration;

/// How long a server may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// How long what a killed suite held may stay held: a consumer's session lasts 6 s.
const LET_GO_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(250);

/// A namespace of a test's own on a shared server.
#[cfg(test)]
fn any_namespace() -> String {
    let id = clock::uuid_v7(&clock::SystemClock, &clock::SystemRandom).simple().to_string();
    format!("t{}_", &id[id.len() - 12..])
}
