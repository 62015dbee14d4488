//! The id that a broker is given at its first use. It lies there as a record, beside the events: a broker that
//! was made anew, or another one, has another.

use event::Headers;
use uuid::Uuid;

use crate::{Bus, BusError, Outgoing, Topic};

/// The topic that holds the id: the key of its first record.
pub const IDENTITY_TOPIC: &str = "quintet";

/// Compacted, and each record has a key of its own: the first one stays the first.
const TOPIC: Topic = Topic { name: IDENTITY_TOPIC, partitions: 1, compacted: true };

/// The id of this bus, `proposed` if it had none. Of several processes that propose one at a time, the first
/// record decides.
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
        || BusError::Unavailable { reason: "the bus's new id cannot be read yet".to_owned() };
    first(bus).await?.ok_or_else(unread)
}

async fn first(bus: &dyn Bus) -> Result<Option<Uuid>, BusError> {
    let records = bus.reader(&[IDENTITY_TOPIC]).await?.read(1).await?;
    let Some(record) = records.first() else { return Ok(None) };
    let key = String::from_utf8_lossy(&record.key);
    let id = key.parse().map_err(|error| {
        let why = format!("its first record has the key {key:?}, which is no id: {error}");
        BusError::settings(format!("topic {IDENTITY_TOPIC}"), why)
    })?;
    Ok(Some(id))
}
