//! What the broker keeps: records without end, and how far each group has come.

use std::collections::BTreeMap;

use crate::names::Namespace;
use crate::{
    BusError, DEFAULT_MAX_RECORD_BYTES, Incoming, Outgoing, PartitionState, Topic, partition_of,
};

/// A topic's name at the broker, and a partition of it.
pub(super) type Place = (String, i32);

#[derive(Default)]
pub(super) struct State {
    /// Each topic's partitions; an offset is a place in one.
    topics: BTreeMap<String, Vec<Vec<Incoming>>>,
    groups: BTreeMap<String, Group>,
    /// How often anybody has joined.
    joined: u64,
}

#[derive(Default)]
pub(super) struct Group {
    member: Option<u64>,
    /// Has not reached the broker.
    stored: BTreeMap<Place, i64>,
    committed: BTreeMap<Place, i64>,
}

impl Group {
    pub(super) fn has_member(&self) -> bool {
        self.member.is_some()
    }

    pub(super) fn is_member(&self, member: u64) -> bool {
        self.member == Some(member)
    }

    pub(super) fn store(&mut self, place: Place, next: i64) {
        self.stored.insert(place, next);
    }

    pub(super) fn flush(&mut self) {
        self.committed.append(&mut self.stored);
    }

    /// What was stored and has not reached the broker is lost.
    pub(super) fn leave(&mut self) {
        self.member = None;
        self.stored.clear();
    }
}

impl State {
    pub(super) fn group(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_default()
    }

    /// Makes somebody the group's member, unless it has one.
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

    /// Appends a record to its topic, whose name at the broker this is.
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

    /// The records of a partition from an offset on.
    pub(super) fn after(&self, (topic, partition): &Place, next: i64) -> &[Incoming] {
        let partitions = self.topics.get(topic);
        let records = partitions.and_then(|all| all.get(partition.unsigned_abs() as usize));
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
                states.push(PartitionState {
                    topic: topic.clone(),
                    partition,
                    low: 0,
                    high: i64::try_from(records.len()).unwrap_or(i64::MAX),
                    committed: committed.and_then(|it| it.get(&(name.clone(), partition)).copied()),
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
            let name = namespace.outer("topic", &state.topic)?;
            self.group(group).committed.insert((name, state.partition), state.low);
        }
        Ok(())
    }
}
