//! The id that a bus gets at its first use, as the first record of a topic of its own. A broker that lost its
//! data, or another broker, has another id or none, so a database can notice that it is not the bus it used.

use event::Headers;
use uuid::Uuid;

use crate::{Bus, BusError, Outgoing, Start, Topic};

/// The topic of the id, which is the key of the topic's first record.
pub const IDENTITY_TOPIC: &str = "quintet";

/// The topic is compacted and each record has another key, so no record is ever deleted.
const TOPIC: Topic = Topic { name: IDENTITY_TOPIC, partitions: 1, compacted: true };

/// The id of this bus, which becomes `proposed` if there is none. If several processes propose one at the same
/// time, the first record decides.
pub(crate) async fn identity(bus: &dyn Bus, proposed: Uuid) -> Result<Uuid, BusError> {
    bus.create_topics(&[TOPIC]).await?;
    if let Some(known) = first(bus).await? {
        return Ok(known);
    }
    let record = Outgoing {
        topic: IDENTITY_TOPIC.to_owned(),
        key: proposed.to_string(),
        headers: Headers::new(),
        value: b"the id of this bus, given at its first use".to_vec(),
    };
    if let Some(error) = bus.producer().await?.publish(&[record]).await.error {
        return Err(error);
    }
    let unread =
        || BusError::Unavailable { reason: "the new id of the bus cannot be read yet".to_owned() };
    first(bus).await?.ok_or_else(unread)
}

async fn first(bus: &dyn Bus) -> Result<Option<Uuid>, BusError> {
    let records = bus.reader(&[IDENTITY_TOPIC], Start::Lowest).await?.read(1).await?;
    let Some(record) = records.first() else { return Ok(None) };
    let key = String::from_utf8_lossy(&record.key);
    let id = key.parse().map_err(|error| {
        let why = format!("its first record has the key {key:?}, which is not a UUID: {error}");
        BusError::settings(format!("topic {IDENTITY_TOPIC}"), why)
    })?;
    Ok(Some(id))
}
