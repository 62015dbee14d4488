//! The state of the broker in memory: all records, which are never deleted, and each group's offsets.

use std::collections::BTreeMap;

use crate::names::Namespace;
use crate::{
    BusError, DEFAULT_MAX_RECORD_BYTES, Incoming, Outgoing, PartitionState, Topic, partition_of,
};

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TopicPartition {
    /// The topic's name at the broker.
    pub(super) topic: String,
    pub(super) partition: i32,
}

#[derive(Default)]
pub(super) struct State {
    /// The partitions of each topic. The offset of a record is its index in its partition.
    topics: BTreeMap<String, Vec<Vec<Incoming>>>,
    groups: BTreeMap<String, Group>,
    /// How many members have joined any group. The number of a member is the count when it joined.
    joined: u64,
}

#[derive(Default)]
pub(super) struct Group {
    member: Option<u64>,
    /// Offsets that have not reached the broker yet.
    stored: BTreeMap<TopicPartition, i64>,
    committed: BTreeMap<TopicPartition, i64>,
}

impl Group {
    pub(super) fn has_member(&self) -> bool {
        self.member.is_some()
    }

    pub(super) fn is_member(&self, member: u64) -> bool {
        self.member == Some(member)
    }

    pub(super) fn store(&mut self, partition: TopicPartition, next: i64) {
        self.stored.insert(partition, next);
    }

    pub(super) fn flush(&mut self) {
        self.committed.append(&mut self.stored);
    }

    /// The member leaves. Offsets that have not reached the broker are lost.
    pub(super) fn leave(&mut self) {
        self.member = None;
        self.stored.clear();
    }
}

impl State {
    pub(super) fn group(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_default()
    }

    /// Joins the group and returns the member's number; `None` if the group has a member.
    pub(super) fn join(&mut self, group: &str) -> Option<u64> {
        self.joined += 1;
        let member = self.joined;
        let group = self.group(group);
        if group.has_member() {
            return None;
        }
        group.member = Some(member);
        Some(member)
    }

    pub(super) fn create(&mut self, name: String, topic: &Topic) -> Result<(), BusError> {
        let Ok(count @ 1..) = usize::try_from(topic.partitions) else {
            let why = format!("has {} partitions, give it at least one", topic.partitions);
            return Err(BusError::settings(format!("topic {}", topic.name), why));
        };
        self.topics.entry(name).or_insert_with(|| vec![Vec::new(); count]);
        Ok(())
    }

    /// Appends a record to the topic with this name at the broker.
    pub(super) fn append(&mut self, topic: &str, record: &Outgoing) -> Result<(), BusError> {
        let (bytes, limit) = (record.bytes(), DEFAULT_MAX_RECORD_BYTES);
        if bytes > limit {
            let (topic, key) = (record.topic.clone(), record.key.clone());
            return Err(BusError::TooLarge { topic, key, bytes, limit });
        }
        let unknown = || BusError::UnknownTopic { topic: record.topic.clone() };
        let partitions = self.topics.get_mut(topic).ok_or_else(unknown)?;
        let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let partition = partition_of(record.key.as_bytes(), count);
        let records = &mut partitions[partition.unsigned_abs() as usize];
        records.push(Incoming {
            topic: record.topic.clone(),
            partition,
            offset: i64::try_from(records.len()).unwrap_or(i64::MAX),
            key: record.key.clone().into_bytes(),
            headers: record.headers.clone(),
            value: record.value.clone(),
        });
        Ok(())
    }

    /// The records of a partition from the offset `next` on.
    pub(super) fn records_from(&self, place: &TopicPartition, next: i64) -> &[Incoming] {
        let partitions = self.topics.get(&place.topic);
        let index = place.partition.unsigned_abs() as usize;
        let records = partitions.and_then(|partitions| partitions.get(index));
        let next = usize::try_from(next).unwrap_or(usize::MAX);
        records.and_then(|records| records.get(next..)).unwrap_or_default()
    }

    pub(super) fn partitions(
        &self,
        namespace: &Namespace,
        group: &str,
        topics: &[String],
    ) -> Result<Vec<PartitionState>, BusError> {
        let mut states = Vec::new();
        for name in topics {
            let topic = namespace.inner(name).to_owned();
            let Some(partitions) = self.topics.get(name) else {
                return Err(BusError::UnknownTopic { topic });
            };
            for (partition, records) in (0_i32..).zip(partitions) {
                let committed = self.groups.get(group).map(|group| &group.committed);
                let place = TopicPartition { topic: name.clone(), partition };
                states.push(PartitionState {
                    topic: topic.clone(),
                    partition,
                    low: 0,
                    high: i64::try_from(records.len()).unwrap_or(i64::MAX),
                    committed: committed.and_then(|offsets| offsets.get(&place).copied()),
                });
            }
        }
        Ok(states)
    }

    pub(super) fn rewind(
        &mut self,
        namespace: &Namespace,
        group: &str,
        topics: &[String],
    ) -> Result<(), BusError> {
        for state in self.partitions(namespace, group, topics)? {
            let topic = namespace.outer("topic", &state.topic)?;
            let place = TopicPartition { topic, partition: state.partition };
            self.group(group).committed.insert(place, state.low);
        }
        Ok(())
    }
}
