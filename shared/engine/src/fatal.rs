//! Why a service stops for good: exit code 65 where events are missing, 64 where the broker refuses.

use bus::BusError;
use store::StoreError;
use uuid::Uuid;

/// Why an engine stops for good. Nothing is lost and nothing skipped: started again, it stands
/// before the same input.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// Events were deleted before this service read them.
    #[error(
        "{topic}[{partition}]: group {group} is to go on at offset {next}, but the oldest record \
         there has offset {low}: those between were deleted unread. Restore the broker from a \
         backup that has them, or accept the loss and set the group to the earliest offset"
    )]
    Missed {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first that was not read.
        next: i64,
        /// The first that still exists.
        low: i64,
    },
    /// The topic ends before the place where this service is to go on.
    #[error(
        "{topic}[{partition}]: group {group} is to go on at offset {next}, but the topic ends at \
         {high}: it was made anew, or the broker lost its end. Restore the broker, or set the \
         group to the earliest offset: what was applied before is recognised"
    )]
    Ahead {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset to go on at.
        next: i64,
        /// The offset that the next record will get.
        high: i64,
    },
    /// The broker has forgotten where this service was.
    #[error(
        "{topic}[{partition}]: the broker has forgotten the offset of group {group}: the group was \
         away for too long, or the topic was made anew. It holds offsets {low} to {high} now; what \
         else there was is not known. Restore the broker, or set the group to the earliest offset: \
         what was applied before is recognised"
    )]
    Forgotten {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset that exists.
        low: i64,
        /// The offset that the next record will get.
        high: i64,
    },
    /// The database belongs to another bus.
    #[error(
        "this database belongs to the bus {known} (id {known_id}), but bus.url is {bus} (id {id}): start \
         the pair that belongs together. `quintet up --fresh` begins anew with both; to keep the database \
         with this bus, where the other one is lost, delete the row of its table known_bus"
    )]
    Stranger {
        /// Where the bus was that the database knows.
        known: String,
        /// That bus's id.
        known_id: Uuid,
        /// Where the bus is that the service was given.
        bus: String,
        /// This bus's id.
        id: Uuid,
    },
    /// The database is new, and the group is not.
    #[error(
        "{topic}[{partition}]: this database is new, but group {group} has read up to offset {next}: the \
         database would never hear of what lies before. Start with the database that belongs to this \
         bus, have the group read everything again (`quintet rewind`), or begin anew with both \
         (`quintet up --fresh`)"
    )]
    Unread {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset to go on at.
        next: i64,
    },
    /// The bus refuses for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

impl Fatal {
    /// The database does not answer, so the consumer cannot tell whether it may join: it tries again.
    pub(crate) fn database_unavailable(error: &StoreError) -> Self {
        BusError::Unavailable { reason: format!("the database does not answer: {error}") }.into()
    }
}
