//! The errors of a bus, and which of them a retry can help against.

use std::error::Error;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why a bus did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The broker cannot be reached, or cannot serve at the moment. The same call may succeed later.
    #[error("the bus is not available: {reason}")]
    Unavailable {
        /// What was tried, and what failed.
        reason: String,
    },
    /// The record is larger than the bus allows. It was not sent.
    #[error(
        "the record {key} for topic {topic} has {bytes} bytes, at most {limit} are allowed: \
         make it smaller or raise the limit of the broker and of its clients"
    )]
    TooLarge {
        /// The record's topic.
        topic: String,
        /// The record's key.
        key: String,
        /// The size of key, headers and value together.
        bytes: usize,
        /// See [`crate::Bus::max_record_bytes`].
        limit: usize,
    },
    /// The broker denies a right or the login. An operator may grant it while the caller retries.
    #[error(
        "{what}: Kafka denies access ({code}): {remedy}; the service retries until Kafka allows it"
    )]
    Denied {
        /// What was tried, with the topic or group if one is known.
        what: String,
        /// The broker's error code.
        code: String,
        /// What an operator does about it.
        remedy: &'static str,
    },
    /// The topic does not exist.
    #[error("topic {topic} does not exist: create it first")]
    UnknownTopic {
        /// The topic's name, without the namespace.
        topic: String,
    },
    /// On the log, where a group has one member only, the group has a member already.
    #[error(
        "group {group} is taken: with SQLite a service is one process; \
         several replicas need Kafka and PostgreSQL"
    )]
    Taken {
        /// The group's name.
        group: String,
    },
    /// The group's offsets cannot be set while the group has members.
    #[error("group {group} has members: stop the service before its offsets are rewound")]
    GroupActive {
        /// The group's name.
        group: String,
    },
    /// The group's next record does not exist: its offset is below or above those that the broker holds.
    #[error(
        "the next record of a partition does not exist: it was deleted before it was read, or the broker \
         has lost its latest records"
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
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The log's database failed.
    #[error("the log's database failed")]
    Db {
        /// Whether the database may work again while the process waits, as when a disk has room again.
        is_transient: bool,
        /// The error of SQLite or its client.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The Kafka client failed for good.
    #[error("Kafka: {what}")]
    Kafka {
        /// What was tried.
        what: String,
        /// The error of the client.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl BusError {
    /// Whether the same call can succeed later while this process waits: the broker comes back, an
    /// operator grants a right or creates a topic, or a disk has room again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Db { is_transient, .. } => *is_transient,
            Self::Unavailable { .. } | Self::Denied { .. } | Self::UnknownTopic { .. } => true,
            Self::Io { source, .. } => {
                use std::io::ErrorKind::{
                    Interrupted, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
                };
                matches!(
                    source.kind(),
                    Interrupted
                        | StorageFull
                        | QuotaExceeded
                        | PermissionDenied
                        | ReadOnlyFilesystem
                )
            }
            _ => false,
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub(crate) fn db(source: sqlx::Error) -> Self {
        let is_transient = match &source {
            sqlx::Error::Database(error) => is_transient_in_sqlite(error.as_ref()),
            sqlx::Error::Io(_) => true,
            _ => false,
        };
        Self::Db { is_transient, source: Box::new(source) }
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
            source => {
                if let Some((code, remedy)) = denial(&source) {
                    return Self::Denied { what, code: code.to_string(), remedy };
                }
                if is_transient_in_kafka(&source) {
                    return Self::Unavailable { reason: format!("{what}: {source}") };
                }
                Self::Kafka { what, source: Box::new(source) }
            }
        }
    }
}

/// Whether `SQLite`'s error can go away while the process waits: a busy or locked database, a failed or full
/// disk, missing rights on a file.
fn is_transient_in_sqlite(error: &dyn sqlx::error::DatabaseError) -> bool {
    const PERMISSION: u32 = 3;
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READ_ONLY: u32 = 8;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    // The low byte of a result code is the primary code.
    code.is_some_and(|code| {
        matches!(
            code & 0xff,
            PERMISSION | BUSY | LOCKED | READ_ONLY | IO_ERROR | FULL | CANNOT_OPEN
        )
    })
}

fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// The code of a denied right or login, and what an operator does about it. `None` for other errors.
pub(crate) fn denial(error: &KafkaError) -> Option<(RDKafkaErrorCode, &'static str)> {
    use RDKafkaErrorCode as Code;
    let code = code_of(error)?;
    let remedy = match code {
        Code::TopicAuthorizationFailed => {
            "grant DESCRIBE and READ on each topic that the service hears, and WRITE on its own"
        }
        Code::GroupAuthorizationFailed => "grant READ on the service's consumer group",
        Code::ClusterAuthorizationFailed => {
            "grant IDEMPOTENT_WRITE on the cluster, and CREATE where topics are missing"
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check kafka.sasl.username and kafka.sasl.password, and that user at the broker"
        }
        Code::SSL => "check kafka.ssl.ca.location and the broker's certificate",
        _ => return None,
    };
    Some((code, remedy))
}

/// Whether the cause can go away while the process waits. That is so for all errors except those that say that
/// the broker or its client will never accept a request of this program with these settings.
fn is_transient_in_kafka(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let never = [
        Code::InvalidArgument,
        Code::InvalidConfig,
        Code::InvalidGroupId,
        Code::InvalidRequest,
        Code::InvalidSessionTimeout,
        Code::InvalidTopic,
        Code::MessageSizeTooLarge,
        Code::NotImplemented,
        Code::PolicyViolation,
        Code::SecurityDisabled,
        Code::UnsupportedFeature,
        Code::UnsupportedForMessageFormat,
        Code::UnsupportedSASLMechanism,
        Code::UnsupportedVersion,
    ];
    code_of(error).is_some_and(|code| !never.contains(&code))
}

/// Whether librdkafka gets over the error by itself, so that the same client can go on.
pub(crate) fn kafka_heals(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::MessageConsumptionFatal(_) => None,
        error => code_of(error),
    };
    matches!(
        code,
        Some(
            Code::AllBrokersDown
                | Code::Authentication
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
                | Code::SSL
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
        let old = KafkaError::Global(RDKafkaErrorCode::UnsupportedVersion);
        assert!(!BusError::kafka("reading", old).is_transient());
        assert!(!BusError::settings("bus.url", "is empty").is_transient());
    }

    #[test]
    fn a_denied_right_is_transient_and_the_error_names_the_right_to_grant() {
        let codes = [
            (RDKafkaErrorCode::TopicAuthorizationFailed, "grant DESCRIBE and READ on each topic"),
            (RDKafkaErrorCode::GroupAuthorizationFailed, "grant READ on the service's consumer"),
            (RDKafkaErrorCode::ClusterAuthorizationFailed, "grant IDEMPOTENT_WRITE"),
            (RDKafkaErrorCode::Authentication, "check kafka.sasl.username"),
        ];
        for (code, remedy) in codes {
            let error = BusError::kafka("joining group g", KafkaError::MessageConsumption(code));
            assert!(error.is_transient(), "{error}");
            let text = error.to_string();
            assert!(text.starts_with("joining group g: ") && text.contains(remedy), "{text}");
        }
        let admin = KafkaError::AdminOp(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(matches!(BusError::kafka("creating", admin), BusError::Denied { .. }));
    }

    #[test]
    fn missing_rights_on_a_file_are_transient() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert!(BusError::io("opening bus.db", denied).is_transient());
        let absent = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(!BusError::io("opening bus.db", absent).is_transient());
    }

    #[test]
    fn the_error_about_a_second_member_says_what_several_replicas_need() {
        let text = BusError::Taken { group: "booking".into() }.to_string();
        assert!(text.contains("booking") && text.contains("several replicas need Kafka"));
    }
}
