//! The servers of a suite that does not work on files: PostgreSQL and Kafka. This waits for them, creates databases, and
//! deletes exactly what a suite has created.

pub mod kafka;
pub mod postgres;

use std::time::Duration;

/// How long a server may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// How long databases and groups may still be in use after a suite was killed: a consumer's session lasts 6 s.
const LET_GO_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(250);

/// A namespace for a test that shares its server with others.
#[cfg(test)]
fn any_namespace() -> String {
    let id = clock::uuid_v7(&clock::SystemClock, &clock::SystemRandom).simple().to_string();
    format!("t{}_", &id[id.len() - 12..])
}
