//! How an attempt at a batch ends.

use std::collections::HashMap;

use bus::Position;
use store::{Class, StoreError};
use uuid::Uuid;

use crate::{Answer, Participant, Reason};

/// What a committed batch leaves to do.
#[derive(Debug)]
pub struct Applied<P: Participant> {
    /// The answers to the batch's commands, each with the command's place in the batch.
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

/// Why a batch did not commit.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The database refused, did not answer, or did not say whether it committed.
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

impl BatchError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Poison { .. } => Class::Data,
        }
    }
}

/// The answers of attempts whose commit has an unknown outcome, by the commands' ids. If a later attempt finds
/// such a command in the inbox, the earlier attempt did commit, and its answer is the one to give.
pub type UnconfirmedAnswers<P> = HashMap<Uuid, Answer<P>>;
