//! What can be done to a suite.

use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::{Component, Member};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// One deed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// `kill -9` of these, all at once.
    Kill(Vec<Member>),
    /// A process stands still for so long (SIGSTOP), and then goes on as if nothing had been.
    Pause(Member, Duration),
    /// All processes of a program are stopped in order and started again.
    Restart(Component),
    /// A provider misbehaves for so long.
    Trouble(Provider, Fault, Duration),
    /// The broker, by the user's command.
    RestartKafka,
    /// The database server, by the user's command.
    RestartPostgres,
}

/// Of which kind a deed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Kill,
    Pause,
    Restart,
    Outage,
    Faults,
    Kafka,
    Postgres,
}

/// One of the outside world's, as the sandbox names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Provider {
    Payment,
    Carrier,
    Mail,
}

/// How a provider misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// It turns everybody away.
    Outage,
    /// It is slow and fails now and then; rates in per cent.
    Knobs { latency_ms: u64, errors: u64, lost_answers: u64 },
}

impl Act {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Kill(_) => Kind::Kill,
            Self::Pause(..) => Kind::Pause,
            Self::Restart(_) => Kind::Restart,
            Self::Trouble(_, Fault::Outage, _) => Kind::Outage,
            Self::Trouble(..) => Kind::Faults,
            Self::RestartKafka => Kind::Kafka,
            Self::RestartPostgres => Kind::Postgres,
        }
    }
}

impl Kind {
    /// In JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::Outage => "outage",
            Self::Faults => "faults",
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
        }
    }

    /// For people.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Kill => "killed (kill -9)",
            Self::Pause => "stopped for a while, and continued",
            Self::Restart => "restarted in order",
            Self::Outage => "providers out of service",
            Self::Faults => "providers slow and failing",
            Self::Kafka => "Kafka restarted",
            Self::Postgres => "PostgreSQL restarted",
        }
    }
}

impl Provider {
    pub(super) const ALL: [Self; 3] = [Self::Payment, Self::Carrier, Self::Mail];

    /// As `PUT /faults` calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Carrier => "carrier",
            Self::Mail => "mail",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Payment => "the payment gateway",
            Self::Carrier => "the carrier",
            Self::Mail => "the mail server",
        }
    }
}

impl Fault {
    /// The knobs that `PUT /faults` takes.
    pub(super) fn knobs(self) -> Value {
        match self {
            Self::Outage => json!({ "outage": true }),
            Self::Knobs { latency_ms, errors, lost_answers } => json!({
                "latency_ms": latency_ms,
                "error_rate": rate(errors),
                "lost_answer_rate": rate(lost_answers),
            }),
        }
    }
}

fn rate(per_cent: u64) -> f64 {
    f64::from(u32::try_from(per_cent).unwrap_or(100)) / 100.0
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasting =
            |it: &Duration| SignedDuration::try_from(*it).map(duration::text).unwrap_or_default();
        match self {
            Self::Kill(victims) => {
                let names: Vec<String> = victims.iter().map(ToString::to_string).collect();
                write!(f, "kill -9 {}", names.join(", "))
            }
            Self::Pause(member, it) => write!(f, "{member} stands still for {}", lasting(it)),
            Self::Restart(program) => write!(f, "{program} is restarted"),
            Self::Trouble(provider, Fault::Outage, it) => {
                write!(f, "{} is out for {}", provider.title(), lasting(it))
            }
            Self::Trouble(provider, Fault::Knobs { latency_ms, errors, lost_answers }, it) => {
                let (provider, it) = (provider.title(), lasting(it));
                write!(
                    f,
                    "{provider} takes {latency_ms} ms, fails {errors} % and loses {lost_answers} % \
                     of its answers for {it}"
                )
            }
            Self::RestartKafka => f.write_str("Kafka is restarted"),
            Self::RestartPostgres => f.write_str("PostgreSQL is restarted"),
        }
    }
}
