//! The topics and groups of a suite on Kafka. This waits for the brokers and, for `--fresh`, deletes topics and groups.
//! The services create their topics themselves.

use super::{LET_GO_WITHIN, POLL, UP_WITHIN};
use crate::component::Component;
use crate::session::Session;
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const DELETE_WITHIN: Duration = Duration::from_secs(15);

/// The brokers, with the topics and groups of a suite.
pub struct Cluster {
    brokers: String,
    /// The names of the suite's topics, with the namespace.
    topics: BTreeSet<String>,
    /// The names of the suite's groups, with the namespace.
    groups: Vec<String>,
    up_within: Duration,
    let_go_within: Duration,
    admin: Arc<AdminClient<DefaultClientContext>>,
}

impl Cluster {
    /// The brokers at `HOST:PORT[,HOST:PORT…]`. They are not contacted yet.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn at(brokers: &str, session: &Session, namespace: &str) -> Result<Self> {
        let admin = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "quintet-up")
            // librdkafka would log each refused connection. `up` reports once that it waits for the brokers.
            .set("log.connection.close", "false")
            .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
            .create()
            .with_context(|| format!("--brokers {brokers}"))?;
        let topics = session.topics.iter().chain([&bus::IDENTITY_TOPIC]);
        let topics = topics.map(|topic| format!("{namespace}{topic}")).collect();
        let groups = session.manifest.services();
        let group = |component: Component| {
            format!("{namespace}{}", session.manifest.group(component.name()))
        };
        let (brokers, groups) = (brokers.to_owned(), groups.map(group).collect());
        let (up_within, let_go_within) = (UP_WITHIN, LET_GO_WITHIN);
        Ok(Self { brokers, topics, groups, up_within, let_go_within, admin: Arc::new(admin) })
    }

    /// Waits for a broker. If `fresh`, it then deletes the suite's topics and groups.
    ///
    /// # Errors
    /// If no broker comes up, or one refuses.
    pub async fn prepare(&self, fresh: bool, ui: &Ui) -> Result<()> {
        let existing = self.wait(ui).await?;
        if fresh {
            self.delete_groups(ui).await?;
            self.delete_topics(existing).await?;
        }
        Ok(())
    }

    async fn wait(&self, ui: &Ui) -> Result<BTreeSet<String>> {
        let give_up = Instant::now() + self.up_within;
        let mut waiting = None;
        loop {
            match self.topics().await {
                Ok(topics) => return Ok(topics),
                Err(error) if Instant::now() >= give_up => {
                    drop(waiting);
                    return Err(error)
                        .with_context(|| format!("cannot reach Kafka at {}", self.brokers));
                }
                Err(_) => {
                    waiting.get_or_insert_with(|| {
                        ui.spinner(&format!("waiting for Kafka at {}", self.brokers))
                    });
                    sleep(POLL).await;
                }
            }
        }
    }

    /// The suite's topics that exist.
    async fn topics(&self) -> Result<BTreeSet<String>> {
        let admin = Arc::clone(&self.admin);
        let fetch = move || admin.inner().fetch_metadata(None, ANSWER_WITHIN);
        let metadata = tokio::task::spawn_blocking(fetch).await?.map_err(plain)?;
        let existing = metadata.topics().iter().map(|topic| topic.name().to_owned());
        Ok(existing.filter(|topic| self.topics.contains(topic)).collect())
    }

    /// Deletes the groups. It waits until the members of a killed suite have timed out, and fails if a group has living
    /// members: it must not take a running suite's groups away.
    async fn delete_groups(&self, ui: &Ui) -> Result<()> {
        let names: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let give_up = Instant::now() + self.let_go_within;
        let mut waiting = None;
        loop {
            let deleted = self
                .admin
                .delete_groups(&names, &options())
                .await
                .context("--fresh: cannot delete the consumer groups")?;
            let refused = deleted
                .into_iter()
                .filter_map(Result::err)
                .find(|(_, code)| !matches!(code, Code::GroupIdNotFound | Code::NoError));
            match refused {
                None => return Ok(()),
                Some((group, Code::NonEmptyGroup)) if Instant::now() >= give_up => bail!(
                    "--fresh: the consumer group {group} has members: stop the other suite on these brokers, or keep apart from it with --namespace"
                ),
                Some((
                    _,
                    Code::NonEmptyGroup
                    | Code::CoordinatorLoadInProgress
                    | Code::CoordinatorNotAvailable
                    | Code::NotCoordinator,
                )) if Instant::now() < give_up => {
                    waiting.get_or_insert_with(|| {
                        ui.spinner("waiting until Kafka forgets the previous suite's consumers")
                    });
                    sleep(POLL).await;
                }
                Some((group, code)) => {
                    bail!("--fresh: cannot delete the consumer group {group}: {code}")
                }
            }
        }
    }

    async fn delete_topics(&self, existing: BTreeSet<String>) -> Result<()> {
        if existing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = existing.iter().map(String::as_str).collect();
        let deleted = self
            .admin
            .delete_topics(&names, &options())
            .await
            .context("--fresh: cannot delete the topics")?;
        for (topic, code) in deleted.into_iter().filter_map(Result::err) {
            if code != Code::UnknownTopicOrPartition {
                bail!("--fresh: cannot delete the topic {topic}: {code}");
            }
        }
        // Kafka answers before the topics are gone, and a service that starts now would find the old ones.
        let give_up = Instant::now() + DELETE_WITHIN;
        while !self.topics().await?.is_empty() {
            if Instant::now() >= give_up {
                bail!("--fresh: Kafka at {} does not get done deleting topics", self.brokers);
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(DELETE_WITHIN)).operation_timeout(Some(DELETE_WITHIN))
}

/// The error's code alone. The text around it adds nothing.
fn plain(error: rdkafka::error::KafkaError) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(code) => anyhow::anyhow!("{code:?}"),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::any_namespace;
    use super::*;
    use rdkafka::admin::{NewTopic, TopicReplication};
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    use rdkafka::{Offset, TopicPartitionList};

    fn session() -> Session {
        Session::of_test(std::path::Path::new("/d"))
    }

    async fn create(cluster: &Cluster, topic: &str) {
        let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        let created = cluster.admin.create_topics(&[topic], &options()).await.unwrap();
        assert!(created.iter().all(Result::is_ok), "{created:?}");
    }

    fn consumer(cluster: &Cluster, group: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &cluster.brokers)
            .set("group.id", group)
            .create()
            .unwrap()
    }

    fn topic_names(cluster: &Cluster) -> BTreeSet<String> {
        let metadata = cluster.admin.inner().fetch_metadata(None, ANSWER_WITHIN).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    fn committed(cluster: &Cluster, group: &str, topic: &str) -> Offset {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(topic, 0);
        let consumer = consumer(cluster, group);
        let committed = consumer.committed_offsets(partitions, DELETE_WITHIN).unwrap();
        committed.elements()[0].offset()
    }

    #[tokio::test]
    async fn brokers_that_do_not_come_up_are_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut cluster = Cluster::at(&address, &session(), "").unwrap();
        cluster.up_within = Duration::ZERO;
        let error = cluster.prepare(false, &Ui::default()).await.unwrap_err();
        let text = crate::explain(&error);
        let expected = format!("cannot reach Kafka at {address}: ");
        assert!(text.starts_with(&expected) && text.len() <= 91, "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fresh_deletes_only_the_topics_and_groups_of_the_suite() {
        let Some(brokers) = testkit::kafka() else {
            return;
        };
        let namespace = any_namespace();
        let cluster = Cluster::at(&brokers, &session(), &namespace).unwrap();
        let [own, foreign] = [format!("{namespace}bookings"), format!("{namespace}strange")];
        let [own_group, foreign_group] =
            [format!("{namespace}trip-booking"), format!("{namespace}strange")];
        create(&cluster, &own).await;
        create(&cluster, &foreign).await;
        for group in [&own_group, &foreign_group] {
            let mut partitions = TopicPartitionList::new();
            partitions.add_partition_offset(&foreign, 0, Offset::Offset(0)).unwrap();
            consumer(&cluster, group).commit(&partitions, CommitMode::Sync).unwrap();
        }

        cluster.prepare(false, &Ui::default()).await.unwrap();
        assert!(topic_names(&cluster).contains(&own));
        cluster.prepare(true, &Ui::default()).await.unwrap();
        let topics = topic_names(&cluster);
        assert!(!topics.contains(&own) && topics.contains(&foreign), "{topics:?}");
        assert_eq!(committed(&cluster, &own_group, &foreign), Offset::Invalid);
        assert_eq!(committed(&cluster, &foreign_group, &foreign), Offset::Offset(0));
        cluster.admin.delete_topics(&[&foreign], &options()).await.unwrap();
        cluster.admin.delete_groups(&[&foreign_group], &options()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn neither_a_group_with_members_nor_its_topics_are_deleted() {
        let Some(brokers) = testkit::kafka() else {
            return;
        };
        let namespace = any_namespace();
        let mut cluster = Cluster::at(&brokers, &session(), &namespace).unwrap();
        let topic = format!("{namespace}bookings");
        create(&cluster, &topic).await;
        let member = consumer(&cluster, &format!("{namespace}trip-flights"));
        member.subscribe(&[&topic]).unwrap();
        let give_up = Instant::now() + DELETE_WITHIN;
        while member.assignment().unwrap().count() == 0 {
            assert!(Instant::now() < give_up, "the group does not form");
            let _ = member.poll(Duration::from_millis(50));
        }

        cluster.let_go_within = Duration::ZERO;
        let refused = cluster.prepare(true, &Ui::default()).await.unwrap_err().to_string();
        assert!(refused.contains("trip-flights has members"), "{refused}");
        assert!(topic_names(&cluster).contains(&topic));

        drop(member);
        cluster.let_go_within = LET_GO_WITHIN;
        cluster.prepare(true, &Ui::default()).await.unwrap();
        assert!(!topic_names(&cluster).contains(&topic));
    }
}
