//! The bus of a fake suite, on which a test publishes events as services would.

use super::FakeSuite;
use bus::{Bus as _, Log, LogOptions, Outgoing, Topic};
use event::{Contract as _, EventType as _, Headers};
use serde_json::Value;

/// An event, which happened in this second of an hour.
pub struct FakeEvent<'a> {
    pub of_type: contracts::EventType,
    pub key: &'a str,
    pub second: u8,
    pub data: Value,
}

impl FakeSuite {
    /// Creates the bus with the topics of the contract, as the services do.
    pub async fn create_bus(&self) {
        let topics = Topic::all_of::<contracts::Event>(3);
        self.bus().await.create_topics(&topics).await.unwrap();
    }

    pub async fn publish(&self, events: &[FakeEvent<'_>]) {
        let records: Vec<Outgoing> = events.iter().map(FakeEvent::record).collect();
        let published = self.bus().await.producer().await.unwrap().publish(&records).await;
        assert!(published.error.is_none(), "{published:?}");
    }

    async fn bus(&self) -> Log {
        Log::open(&self.data().join("bus.db"), "", LogOptions::default()).await.unwrap()
    }
}

impl FakeEvent<'_> {
    fn record(&self) -> Outgoing {
        let mut headers = Headers::new();
        let namespace = contracts::Event::NAMESPACE;
        headers.push("ce_type", self.of_type.as_str());
        headers.push("ce_source", format!("/{namespace}/{}", self.of_type.publisher()));
        headers.push("ce_time", format!("2026-01-01T09:08:{:02}Z", self.second));
        headers.push("ce_dataschema", self.of_type.schemas().last().unwrap().id);
        let value = self.data.to_string().into_bytes();
        let (topic, key) = (self.of_type.topic().to_owned(), self.key.to_owned());
        Outgoing { topic, key, headers, value }
    }
}
