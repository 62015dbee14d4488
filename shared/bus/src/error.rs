//! What can go wrong on either bus.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What can go wrong on either bus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The broker cannot be reached, or cannot serve at the moment; the same call may succeed later.
    #[error("the bus is not available: {reason}")]
    Unavailable {
        /// What was tried and what came back.
        reason: String,
    },
    /// The record is larger than the bus takes; it was not sent.
    #[error(
        "the record {key} for topic {topic} has {bytes} bytes, at most {limit} are allowed: \
         make it smaller or raise the limit of the broker and of its clients"
    )]
    TooLarge {
        /// Where it was to go.
        topic: String,
        /// Its key.
        key: String,
        /// Key, headers and value together.
        bytes: usize,
        /// See [`crate::Bus::max_record_bytes`].
        limit: usize,
    },
    /// Nobody created this topic.
    #[error("topic {topic} does not exist: create it first")]
    UnknownTopic {
        /// Its name, without the namespace.
        topic: String,
    },
    /// On the log, the group has its one member already.
    #[error(
        "group {group} is taken: with SQLite a service is one process; \
         several replicas need Kafka and PostgreSQL"
    )]
    Taken {
        /// The group's name.
        group: String,
    },
    /// The group's offsets cannot be set while somebody reads.
    #[error("group {group} has members: stop the service before its offsets are rewound")]
    GroupActive {
        /// The group's name.
        group: String,
    },
    /// The group's next record lies outside of what the broker holds.
    #[error(
        "the next record of a partition is not there: deleted unread, or the broker lost its end"
    )]
    OutOfReach,
    /// A setting cannot be used.
    #[error("{name}: {why}")]
    Settings {
        /// The setting.
        name: String,
        /// What is wrong with it and what to write instead.
        why: String,
    },
    /// A file of the log cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log's database failed.
    #[error("the log's database failed")]
    Db(#[from] sqlx::Error),
    /// The Kafka client failed for good.
    #[error("Kafka: {what}")]
    Kafka {
        /// What was tried.
        what: String,
        /// What the client said.
        source: KafkaError,
    },
}

impl BusError {
    /// Whether the same call can succeed later without anybody's doing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Db(sqlx::Error::Database(error)) => is_passing(error.as_ref()),
            Self::Unavailable { .. } | Self::Db(sqlx::Error::Io(_)) => true,
            Self::Io { source, .. } => {
                use std::io::ErrorKind::{Interrupted, QuotaExceeded, StorageFull};
                matches!(source.kind(), Interrupted | StorageFull | QuotaExceeded)
            }
            _ => false,
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub(crate) fn settings(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Settings { name: name.into(), why: why.into() }
    }

    pub(crate) fn kafka(what: impl Into<String>, source: KafkaError) -> Self {
        let what = what.into();
        match source {
            KafkaError::ClientConfig(_, why, name, value) => {
                Self::settings(format!("kafka.{name} = {value}"), why)
            }
            source if kafka_heals(&source) => {
                Self::Unavailable { reason: format!("{what}: {source}") }
            }
            source => Self::Kafka { what, source },
        }
    }
}

/// `SQLite`'s primary result codes for a busy or locked database, a failed or full disk.
fn is_passing(error: &dyn sqlx::error::DatabaseError) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    // The low byte is the primary code, the rest says more about it.
    code.is_some_and(|code| matches!(code & 0xff, BUSY | LOCKED | IO_ERROR | FULL))
}

/// Whether librdkafka or the broker get over it by themselves.
pub(crate) fn kafka_heals(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::MessageConsumptionFatal(_) => None,
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::BrokerDestroy
                | Code::BrokerNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::LeaderNotAvailable
                | Code::MessageTimedOut
                | Code::NetworkException
                | Code::NotController
                | Code::NotCoordinator
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::NotLeaderForPartition
                | Code::OperationTimedOut
                | Code::PurgeInflight
                | Code::PurgeQueue
                | Code::QueueFull
                | Code::RebalanceInProgress
                | Code::RequestTimedOut
                | Code::Resolve
                | Code::WaitingForCoordinator
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_broker_is_transient_and_a_wrong_setting_is_not() {
        let away = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(BusError::kafka("reading", away).is_transient());
        let denied = KafkaError::Global(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(!BusError::kafka("reading", denied).is_transient());
        assert!(!BusError::settings("bus.url", "is empty").is_transient());
    }

    #[test]
    fn taken_names_the_way_out() {
        let text = BusError::Taken { group: "order".into() }.to_string();
        assert!(text.contains("order") && text.contains("several replicas need Kafka"));
    }
}
