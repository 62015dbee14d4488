//! The broker, and what can go wrong on the way to it.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{Bus, BusError, Consumer, Memory, Outgoing, PartitionState, Producer, Published, Topic};

use crate::{schedule::Trouble, stage::Stage};

/// A broker in memory whose producers meet the trouble of the step.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) memory: Memory,
    pub(crate) stage: Arc<Stage>,
}

#[async_trait]
impl Bus for Broker {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        self.memory.create_topics(topics).await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(self.clone()))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        self.memory.consumer(group, topics).await
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        self.memory.partitions(group, topics).await
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        self.memory.rewind(group, topics).await
    }

    fn max_record_bytes(&self) -> usize {
        self.memory.max_record_bytes()
    }
}

#[async_trait]
impl Producer for Broker {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        let trouble = self.stage.trouble();
        // So many arrive, and of so many the sender hears.
        let (arrive, heard) = match trouble {
            None => (records.len(), records.len()),
            Some(Trouble::Refused | Trouble::Malformed) => {
                let count = self.stage.dice.index(records.len());
                (count, count)
            }
            Some(Trouble::AnswerLost | Trouble::Late) => {
                let arrive = self.stage.dice.index(records.len() + 1);
                (arrive, self.stage.dice.index(arrive + 1).min(records.len() - 1))
            }
        };
        let mut published = self.memory.publish(&records[..arrive]).await;
        for (nth, record) in records[..arrive].iter().enumerate() {
            let name = self.stage.published(record);
            self.stage.note(if nth < heard { name } else { format!("{name} (report lost)") });
        }
        published.acknowledged.resize(records.len(), false);
        published.acknowledged[heard..].fill(false);
        if let Some(trouble) = trouble {
            self.stage.note(format!("the broker fails ({trouble:?})"));
            let reason = "the connection broke".to_owned();
            published.error.get_or_insert(BusError::Unavailable { reason });
        }
        published
    }
}
