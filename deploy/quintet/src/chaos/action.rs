//! The actions of a chaos run: what can be done to a suite.

use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::{Component, Member};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// One action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Kill these processes with SIGKILL, all at once.
    Kill(Vec<Member>),
    /// Stop a process with SIGSTOP, and continue it after this time. It is not told that time has passed.
    Pause(Member, Duration),
    /// Stop all processes of a program by SIGTERM, and start them again.
    Restart(Component),
    /// Let a provider misbehave for this time.
    ProviderFault(Provider, Fault, Duration),
    /// Restart the broker by the user's command.
    RestartKafka,
    /// Restart the database server by the user's command.
    RestartPostgres,
}

/// The kind of an action, by which the report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ActionKind {
    Kill,
    Pause,
    Restart,
    Outage,
    Faults,
    Kafka,
    Postgres,
}

/// A provider that the sandbox plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Provider {
    Payment,
    Carrier,
    Mail,
}

/// How a provider misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// It refuses all requests.
    Outage,
    /// It answers slowly, fails some requests and loses some answers. The rates are per cent of its requests.
    Knobs { latency_ms: u64, errors: u64, lost_answers: u64 },
}

impl Action {
    pub(super) const fn kind(&self) -> ActionKind {
        match self {
            Self::Kill(_) => ActionKind::Kill,
            Self::Pause(..) => ActionKind::Pause,
            Self::Restart(_) => ActionKind::Restart,
            Self::ProviderFault(_, Fault::Outage, _) => ActionKind::Outage,
            Self::ProviderFault(..) => ActionKind::Faults,
            Self::RestartKafka => ActionKind::Kafka,
            Self::RestartPostgres => ActionKind::Postgres,
        }
    }
}

impl ActionKind {
    /// Its name in JSON.
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

    /// What the report calls the targets of such actions.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Kill => "killed (kill -9)",
            Self::Pause => "stopped for a while, and continued",
            Self::Restart => "restarted gracefully",
            Self::Outage => "providers out of service",
            Self::Faults => "providers slow and failing",
            Self::Kafka => "Kafka restarted",
            Self::Postgres => "PostgreSQL restarted",
        }
    }
}

impl Provider {
    pub(super) const ALL: [Self; 3] = [Self::Payment, Self::Carrier, Self::Mail];

    /// Its name in the body of `PUT /faults`.
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
    /// The settings that `PUT /faults` takes.
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

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |time: &Duration| {
            SignedDuration::try_from(*time).map(duration::text).unwrap_or_default()
        };
        match self {
            Self::Kill(victims) => {
                let names: Vec<String> = victims.iter().map(ToString::to_string).collect();
                write!(f, "kill -9 {}", names.join(", "))
            }
            Self::Pause(member, time) => write!(f, "{member} is stopped for {}", text(time)),
            Self::Restart(program) => write!(f, "{program} is restarted"),
            Self::ProviderFault(provider, Fault::Outage, time) => {
                write!(f, "{} is out for {}", provider.title(), text(time))
            }
            Self::ProviderFault(
                provider,
                Fault::Knobs { latency_ms, errors, lost_answers },
                time,
            ) => {
                let (provider, time) = (provider.title(), text(time));
                write!(
                    f,
                    "{provider} takes {latency_ms} ms, fails {errors} % and loses {lost_answers} % \
                     of its answers for {time}"
                )
            }
            Self::RestartKafka => f.write_str("Kafka is restarted"),
            Self::RestartPostgres => f.write_str("PostgreSQL is restarted"),
        }
    }
}
