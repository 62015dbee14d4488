//! Creates topics, looks up watermarks and committed offsets, and rewinds groups.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::blocking;
use super::config::Config;
use super::context::Context;
use crate::names::Namespace;
use crate::{BusError, PartitionState, Topic};

/// How long one answer of a broker may take.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

pub(super) async fn create_topics(
    config: &Config,
    namespace: &Namespace,
    topics: &[Topic],
) -> Result<(), BusError> {
    // The broker's own default, such as three on a cluster and one on a laptop.
    const BROKERS_DEFAULT: TopicReplication<'_> = TopicReplication::Fixed(-1);
    let names: Vec<&str> = topics.iter().map(|topic| topic.name).collect();
    let names = namespace.topics(&names)?;
    let client: AdminClient<Context> = config
        .admin()
        .create_with_context(Context::default())
        .map_err(|error| BusError::kafka("creating a client", error))?;
    let new = names.iter().zip(topics).map(|(name, topic)| {
        let new = NewTopic::new(name, topic.partitions, BROKERS_DEFAULT);
        if topic.compacted { new.set("cleanup.policy", "compact") } else { new }
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
    let results = client
        .create_topics(&new, &options)
        .await
        .map_err(|error| BusError::kafka("creating topics", error))?;
    let mut existing = Vec::with_capacity(names.len());
    for result in results {
        match result {
            Ok(topic) | Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => existing.push(topic),
            // An operator may have created the topic. If not, its first use fails.
            Err((topic, code)) if is_denial(code) => {
                tracing::debug!(topic, %code, "this service may not create the topic");
            }
            Err((topic, code)) => return Err(refused(namespace.inner(&topic), code)),
        }
    }
    let namespace = namespace.clone();
    blocking(move || await_leaders(client.inner(), &namespace, &existing)).await
}

fn is_denial(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
    matches!(code, ClusterAuthorizationFailed | TopicAuthorizationFailed)
}

fn refused(topic: &str, code: RDKafkaErrorCode) -> BusError {
    use RDKafkaErrorCode::{InvalidPartitions, InvalidReplicationFactor, InvalidTopic};
    match code {
        InvalidPartitions | InvalidTopic => {
            BusError::settings(format!("topic {topic}"), code.to_string())
        }
        InvalidReplicationFactor => BusError::Unavailable {
            reason: format!(
                "creating topic {topic}: {code}: fewer brokers are up than their \
                 default.replication.factor asks for; start the others, or lower it"
            ),
        },
        code => BusError::kafka(format!("creating topic {topic}"), KafkaError::AdminOp(code)),
    }
}

/// Waits until each partition's leader answers: some brokers do not know a new topic for a moment.
fn await_leaders<C: ClientContext>(
    client: &Client<C>,
    namespace: &Namespace,
    topics: &[String],
) -> Result<(), BusError> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    for topic in topics {
        let mut attempt = 1;
        while let Err(error) = answers(client, namespace, topic) {
            let is_transient =
                matches!(error, BusError::Unavailable { .. } | BusError::UnknownTopic { .. });
            if !is_transient || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Succeeds if the leader of each partition answers. A broker may not know yet that it is the leader.
fn answers<C: ClientContext>(
    client: &Client<C>,
    namespace: &Namespace,
    topic: &str,
) -> Result<(), BusError> {
    for partition in 0..partition_count(client, namespace, topic)? {
        client
            .fetch_watermarks(topic, partition, ANSWER)
            .map_err(|error| BusError::kafka("asking for watermarks", error))?;
    }
    Ok(())
}

/// How many partitions a topic has, by its name at the broker. Each must have a leader.
pub(super) fn partition_count<C: ClientContext>(
    client: &Client<C>,
    namespace: &Namespace,
    topic: &str,
) -> Result<i32, BusError> {
    let unavailable = |reason: &str| BusError::Unavailable {
        reason: format!("topic {}: {reason}", namespace.inner(topic)),
    };
    let metadata = client.fetch_metadata(Some(topic), ANSWER).map_err(|error| {
        BusError::kafka(format!("asking for topic {}", namespace.inner(topic)), error)
    })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(|| unavailable("the broker does not answer for it"))?;
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            let topic = namespace.inner(topic).to_owned();
            return Err(BusError::UnknownTopic { topic });
        }
        Some(code) => {
            return Err(BusError::kafka(
                format!("asking for topic {}", namespace.inner(topic)),
                KafkaError::MetadataFetch(code),
            ));
        }
    }
    let has_leader = |partition: &rdkafka::metadata::MetadataPartition| partition.leader() >= 0;
    if found.partitions().is_empty() || !found.partitions().iter().all(has_leader) {
        return Err(unavailable("not every partition has a leader"));
    }
    i32::try_from(found.partitions().len()).map_err(|_| unavailable("too many partitions"))
}

/// Watermarks and committed offsets of all partitions of `topics`, which are names at the broker.
pub(super) fn states(
    observer: &BaseConsumer<Context>,
    namespace: &Namespace,
    topics: &[String],
) -> Result<Vec<PartitionState>, BusError> {
    const LOG_LINES: usize = 64;
    let mut states = Vec::new();
    for topic in topics {
        let count = partition_count(observer.client(), namespace, topic)?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, count - 1);
        let committed = committed(observer, &asked)
            .map_err(|error| BusError::kafka(asking_for_offsets(observer), error))?;
        for partition in 0..count {
            let (low, high) =
                observer.fetch_watermarks(topic, partition, ANSWER).map_err(|error| {
                    BusError::kafka(
                        format!("asking for the ends of topic {}", namespace.inner(topic)),
                        error,
                    )
                })?;
            let element = committed.find_partition(topic, partition);
            if let Some(Err(error)) = element.as_ref().map(TopicPartitionListElem::error) {
                return Err(BusError::kafka(asking_for_offsets(observer), error));
            }
            states.push(PartitionState {
                topic: namespace.inner(topic).to_owned(),
                partition,
                low,
                high,
                committed: element.and_then(|element| match element.offset() {
                    Offset::Offset(next) => Some(next),
                    _ => None,
                }),
            });
        }
    }
    // The observer is not subscribed, so these polls lose no records. They only print waiting log lines, one each.
    for _ in 0..LOG_LINES {
        observer.poll(Duration::ZERO);
    }
    Ok(states)
}

fn asking_for_offsets(observer: &BaseConsumer<Context>) -> String {
    format!("asking for the offsets of group {}", observer.context().group)
}

/// The offsets that the group has committed. The first question about any group makes the broker choose a
/// coordinator; until then the answer is that there is none, and the question is repeated.
fn committed(
    observer: &BaseConsumer<Context>,
    asked: &TopicPartitionList,
) -> KafkaResult<TopicPartitionList> {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    const CHOOSING: [RDKafkaErrorCode; 3] =
        [CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator];
    const AGAIN: Duration = Duration::from_millis(100);
    let is_choosing = |error: &KafkaError| {
        error.rdkafka_error_code().is_some_and(|code| CHOOSING.contains(&code))
    };
    let mut repeats = ANSWER.as_millis() / AGAIN.as_millis();
    loop {
        match observer.committed_offsets(asked.clone(), ANSWER) {
            Err(error) if repeats > 0 && is_choosing(&error) => repeats -= 1,
            done => return done,
        }
        std::thread::sleep(AGAIN);
    }
}

/// Commits the low watermark of each partition where the group has no offset yet. If records are deleted before
/// the group reads them, its offset is then below the low watermark, which shows that it missed them.
pub(super) fn begin(
    observer: &BaseConsumer<Context>,
    namespace: &Namespace,
    topics: &[String],
) -> Result<(), BusError> {
    let mut new = states(observer, namespace, topics)?;
    new.retain(|state| state.committed.is_none());
    match commit_lowest(observer, namespace, &new) {
        // The group has members, and the first of them has done this.
        Err(BusError::Kafka { source, .. }) if source.downcast_ref().is_some_and(is_active) => {
            Ok(())
        }
        done => done,
    }
}

/// Commits the low watermarks for the observer's group, whose name at the broker is `outer`.
pub(super) fn rewind(
    observer: &BaseConsumer<Context>,
    namespace: &Namespace,
    outer: &str,
    topics: &[String],
) -> Result<(), BusError> {
    let active = || BusError::GroupActive { group: observer.context().group.clone() };
    let groups = observer
        .client()
        .fetch_group_list(Some(outer), ANSWER)
        .map_err(|error| BusError::kafka("asking for the group", error))?;
    if groups.groups().iter().any(|found| !found.members().is_empty()) {
        return Err(active());
    }
    match commit_lowest(observer, namespace, &states(observer, namespace, topics)?) {
        // A member joined in between.
        Err(BusError::Kafka { source, .. }) if source.downcast_ref().is_some_and(is_active) => {
            Err(active())
        }
        done => done,
    }
}

fn commit_lowest(
    observer: &BaseConsumer<Context>,
    namespace: &Namespace,
    states: &[PartitionState],
) -> Result<(), BusError> {
    let mut lowest = TopicPartitionList::new();
    for state in states {
        let topic = namespace.outer("topic", &state.topic)?;
        lowest
            .add_partition_offset(&topic, state.partition, Offset::Offset(state.low))
            .map_err(|error| BusError::kafka("naming an offset", error))?;
    }
    if lowest.count() == 0 {
        return Ok(());
    }
    observer.commit(&lowest, CommitMode::Sync).map_err(|source| {
        let what = "committing offsets";
        if is_active(&source) {
            // `BusError::kafka` would make a transient error of it.
            return BusError::Kafka { what: what.to_owned(), source: Box::new(source) };
        }
        BusError::kafka(what, source)
    })
}

/// Whether the broker refuses offsets from outside because the group has members.
fn is_active(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    let active = [UnknownMemberId, IllegalGeneration, RebalanceInProgress];
    error.rdkafka_error_code().is_some_and(|code| active.contains(&code))
}
