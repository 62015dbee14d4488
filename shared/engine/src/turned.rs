//! What comes of a turn.

use std::collections::HashMap;

use bus::Position;
use store::{Class, StoreError};
use uuid::Uuid;

use crate::{Answer, Participant, Reason};

/// What a committed turn leaves to do.
#[derive(Debug)]
pub struct Turn<P: Participant> {
    /// The answers to the batch's commands, by their place in the batch.
    pub answers: Vec<(usize, Answer<P>)>,
    /// Positions to store: the batch is applied up to there.
    pub positions: Vec<Position>,
    /// Inputs that had been applied before.
    pub duplicates: usize,
    /// Events that it put into the outbox.
    pub emitted: usize,
    /// Records that it put into the dead letters.
    pub parked: usize,
}

/// Why a turn did not commit.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The database refused, was away, or did not say whether it committed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One input cannot be applied, however often it is tried.
    #[error("{reason}")]
    Poison {
        /// Its place in the batch.
        culprit: usize,
        /// What is wrong with it.
        reason: Reason,
    },
}

impl TurnError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Poison { .. } => Class::Data,
        }
    }
}

/// Answers of attempts whose commit has an unknown result: if their commands turn out to be
/// duplicates, these are what was committed.
pub type Remembered<P> = HashMap<Uuid, Answer<P>>;
