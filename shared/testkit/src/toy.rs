//! A toy contract for tests: events that add to a tally, make it send a request, or set its alarm.

use serde::{Deserialize, Serialize};

event::ids! {
    /// A tally, and the key of all its events.
    TallyId;
}

store::uuid_field!(TallyId);

event::contract! {
    /// The events about tallies.
    pub enum ToyEvent: ToyEventType;
    namespace "toy";
    key tally_id: TallyId;
    schemas "schemas";
    compacted "notices";
    payloads(Clone, Debug, PartialEq, Serialize, Deserialize);

    /// One is to be added.
    AddOne by "teller" on "sums" in "add_one": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// Something was added.
    Added by "toy" on "sums" in "added": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// The outside world is to be asked.
    AskOnce by "teller" on "questions" in "ask_once": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// A word is noted, such as `panic`.
    Noted by "teller" on "questions" in "noted": 1 {
        /// The tally.
        tally_id: TallyId,
        /// The word.
        what: String,
    }

    /// An alarm is to be set.
    ArmBell by "teller" on "bells" in "arm_bell": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// The outside world has answered.
    Answered by "toy" on "bells" in "answered": 1 {
        /// The tally.
        tally_id: TallyId,
        /// The answer.
        answer: String,
    }

    /// An alarm is to be cleared.
    DisarmBell by "teller" on "ends" in "disarm_bell": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// An alarm rang.
    Rang by "toy" on "ends" in "rang": 1 {
        /// The tally.
        tally_id: TallyId,
    }

    /// A notice was put up, which is about no tally.
    Noticed about board by "teller" on "notices" in "noticed": 1 {
        /// The board.
        board: String,
        /// What it says.
        text: String,
    }
}
