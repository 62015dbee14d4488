//! How an engine behaves, and how it reads its clocks.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use event::{Contract, Versions};
use jiff::Timestamp;
use uuid::Uuid;

/// What an [`Engine`](crate::Engine) needs to know besides its service and database.
#[derive(Debug, Clone)]
pub struct EngineOptions<C: Contract> {
    /// How it behaves.
    pub settings: Settings,
    /// Which versions of events it publishes.
    pub versions: Versions<C>,
    /// The largest record that the broker takes, in bytes.
    pub max_record_bytes: usize,
    /// Identifies this process among all that work on the same database, earlier ones included.
    pub replica: Uuid,
}

/// How an engine behaves. The defaults suit one service on one machine and under load.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most inputs in one transaction.
    pub batch: usize,
    /// Commands that may wait; more are refused.
    pub commands_queue: usize,
    /// Events that may wait for the broker before commands are refused.
    pub outbox_limit: usize,
    /// Whether this engine is always the sole replica on its database, as on a file. Then it always works in exclusive
    /// mode.
    pub exclusive: bool,
    /// How often the relay looks at the outbox without being woken.
    pub relay_poll: Duration,
    /// How long the lease of a shared outbox lasts after its last renewal.
    pub lease: Duration,
    /// The most effects under way at once.
    pub effects_concurrency: usize,
    /// How long an attempt may take. It must be shorter than the claim.
    pub effects_timeout: Duration,
    /// For how long no other replica takes an effect or alarm that this one claimed.
    pub claim: Duration,
    /// The pause after a first attempt without an answer; doubles with each.
    pub backoff: Duration,
    /// The longest such pause.
    pub backoff_max: Duration,
    /// After how long without an answer an effect is held for an operator. It is then attempted at the longest pause.
    pub hold_after: Duration,
    /// The pause before an outcome or an alarm that cannot be applied is tried again.
    pub refused_pause: Duration,
    /// How often the database is queried for effects and alarms that are due.
    pub poll: Duration,
    /// For how long the response to a request is kept under its idempotency key.
    pub idempotency_window: Duration,
    /// Whether the inbox is pruned of ids that no topic can bring again.
    pub inbox_prune: bool,
    /// After how long without a commit of the current batch a database outage begins. During it, commands are refused,
    /// and the service is not ready.
    pub outage_after: Duration,
    /// How long a stop may take to send the outbox.
    pub drain: Duration,
    /// How spans describe the broker.
    pub messaging: Arc<Messaging>,
}

/// How spans describe the broker and this process as its client, under `OpenTelemetry`'s names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messaging {
    /// `messaging.system`: what kind of broker it is.
    pub system: &'static str,
    /// `server.address`: the broker's host, or that of the first broker; `None` if the bus has no server.
    pub host: Option<String>,
    /// `server.port`.
    pub port: Option<u16>,
    /// `messaging.client.id`: what the broker calls this process.
    pub client_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 1_000,
            commands_queue: 10_000,
            outbox_limit: 100_000,
            exclusive: true,
            relay_poll: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            effects_concurrency: 64,
            effects_timeout: Duration::from_secs(5),
            claim: Duration::from_secs(15),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_mins(10),
            hold_after: Duration::from_hours(1),
            refused_pause: Duration::from_mins(1),
            poll: Duration::from_millis(500),
            idempotency_window: Duration::from_hours(24),
            inbox_prune: false,
            // A command is answered within five seconds, whatever the database does. No client notices a failover that
            // takes less time.
            outage_after: Duration::from_millis(4_500),
            drain: Duration::from_secs(5),
            messaging: Arc::new(Messaging { system: "kafka", ..Messaging::default() }),
        }
    }
}

impl Settings {
    /// The longest that an effect or an alarm may be put off. A row that is put off for longer was
    /// written while a clock was wrong.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.backoff_max.max(self.refused_pause).max(self.claim)
    }
}

/// A reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The wall clock, for times that are stored. An operator may set it.
    pub(crate) wall: Timestamp,
    /// The steady clock, for pauses within this process.
    pub(crate) steady: Duration,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), steady: clock.steady() }
    }
}

/// The time `by` later, or the latest time that there is.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The pause after attempt number `attempt` (from 1). It doubles with each attempt, and its upper half is random
/// ("equal jitter"), so that attempts which failed together are not repeated together.
pub(crate) fn backoff(settings: &Settings, attempt: u32, random: &dyn clock::Random) -> Duration {
    let half = longest_backoff(settings, attempt) / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half + Duration::from_micros(random.below(micros.max(1)))
}

fn longest_backoff(settings: &Settings, attempt: u32) -> Duration {
    let doubled = settings.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(settings.backoff_max)
}

/// The longest that the pauses after `attempts` attempts can take together.
pub(crate) fn longest_pauses(settings: &Settings, attempts: i64) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let growing = attempts.min(17);
    let pauses: Duration = (1..=growing).map(|attempt| longest_backoff(settings, attempt)).sum();
    pauses.saturating_add(longest_backoff(settings, growing).saturating_mul(attempts - growing))
}
