//! What an operator sees of dead letters.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{AggregateField, Cause, Raw};

/// A page of the dead-letter queues, and what there is beside them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetters {
    /// All queues, grouped by what is wrong with their first dead letter; the largest group first.
    pub groups: Vec<DeadLetterGroup>,
    /// The queues of this page, in the order of their ids.
    pub queues: Vec<DeadLetterQueueSummary>,
    /// Outcomes and deadlines that cannot be applied. They are tried again by themselves.
    pub postponed: Vec<PostponedInput>,
    /// The `after` of the next page; null on the last page.
    pub next: Option<Uuid>,
}

/// Dead-letter queues whose first dead letters have the same thing wrong with them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetterGroup {
    /// The kind of failure.
    pub cause: Cause,
    /// What is wrong, without the numbers and ids that differ from one dead letter to the next.
    pub summary: String,
    /// The type of the first dead letters; null where it is not legible.
    pub event_type: Option<String>,
    /// How many queues are in the group.
    pub queues: i64,
    /// How many dead letters are in these queues.
    pub dead_letters: i64,
    /// When the first of them was parked.
    pub first_at: Timestamp,
    /// When one of them was last tried.
    pub last_at: Timestamp,
}

/// The dead-letter queue of an aggregate, or of a record that names none.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetterQueueSummary {
    /// The queue's id: the aggregate's id, or that of the only dead letter.
    pub id: Uuid,
    /// The aggregate; null where the record names none.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// Why the first dead letter is parked.
    pub cause: Cause,
    /// What is wrong with it, without numbers and ids.
    pub summary: String,
    /// How many dead letters wait.
    pub dead_letters: i64,
    /// How often the first one was tried.
    pub attempts: i64,
    /// Since when the aggregate is parked.
    pub since: Timestamp,
    /// When the first dead letter was last tried.
    pub last_at: Timestamp,
    /// Whether an operator has asked for a replay that is not over.
    pub replaying: bool,
}

/// A dead-letter queue with its dead letters.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetterQueue {
    /// The queue's id: the aggregate's id, or that of the only dead letter.
    pub id: Uuid,
    /// Since when the aggregate is parked.
    pub since: Timestamp,
    /// Whether an operator has asked for a replay that is not over.
    pub replaying: bool,
    /// The dead letters, in the order in which they are replayed.
    pub dead_letters: Vec<DeadLetter>,
}

/// A record that was not applied.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetter {
    /// The event's id. A record that cannot be decoded has an id that follows from its topic, partition and offset.
    pub id: Uuid,
    /// The aggregate; null where the record names none.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// Why it is parked.
    pub cause: Cause,
    /// The error of the last attempt, then the errors that led to it.
    pub errors: Vec<String>,
    /// How often it was tried; 0 if it only waits behind another.
    pub attempts: i64,
    /// When it was parked.
    pub first_at: Timestamp,
    /// When it was last tried.
    pub last_at: Timestamp,
    /// The event's type; null where it is not legible.
    pub event_type: Option<String>,
    /// The record's topic.
    pub topic: String,
    /// The record's partition.
    pub partition: i64,
    /// The record's offset in the partition.
    pub offset: i64,
    /// The record's key.
    pub key: Raw,
    /// The names and values of the headers, in order.
    #[schema(value_type = Vec<Vec<Raw>>)]
    pub headers: Vec<(String, Raw)>,
    /// The record's body.
    pub value: Raw,
}

/// An outcome or a deadline that cannot be applied, and is tried again by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostponedInput {
    /// `outcome` or `alarm`.
    pub kind: &'static str,
    /// The id of the effect or the alarm.
    pub id: Uuid,
    /// The aggregate.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// What is wrong.
    pub why: String,
    /// When it is tried next.
    pub due_at: Timestamp,
}
