use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use store::{Column, Kind, StoreError, Table, Tx, Value};
use uuid::Uuid;

use super::{
    Reason,
    letter::{self, Letter},
};

const PARKED: Table = Table {
    name: "parked",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "since", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
    ],
};

/// Its lock is the lane's.
const LOCK: Table = Table { name: "parked", columns: &[Column { name: "id", kind: Kind::Uuid }] };

/// When the lane is to be replayed.
const DUE: Table = Table {
    name: "parked",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "due_at", kind: Kind::Int }],
};

/// A lane's letters.
const QUEUE: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "lane", kind: Kind::Uuid },
        Column { name: "seq", kind: Kind::Int },
        Column { name: "id", kind: Kind::Uuid },
    ],
};

/// What an attempt in vain changes.
const TRIED: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "cause", kind: Kind::Text },
        Column { name: "summary", kind: Kind::Text },
        Column { name: "errors", kind: Kind::Text },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "last_at", kind: Kind::Int },
    ],
};

/// The lanes that a transaction adds to or takes from, all locked.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_id: BTreeMap<Uuid, Lane>,
    added: Vec<Letter>,
    taken: Vec<Uuid>,
    tried: Vec<(Uuid, Reason, i64)>,
}

#[derive(Debug, Default)]
struct Lane {
    /// It was not parked before this transaction.
    is_new: bool,
    /// The letters in it, where that matters: in a lane that is replayed.
    letters: VecDeque<Uuid>,
    /// What is left is not tried again until an operator asks once more.
    stuck: bool,
    /// Letters were taken from it or tried: when it is due is to be said anew.
    moved: bool,
}

impl Lanes {
    /// Locks those of the lanes that are parked, in the order of their ids, and reads the letters of
    /// the `replayed` ones. An operator's requests change them too, beside the engine.
    pub(super) async fn lock(
        tx: &mut Tx,
        lanes: BTreeSet<Uuid>,
        replayed: &BTreeSet<Uuid>,
    ) -> Result<Self, StoreError> {
        let mut locked = Self::default();
        for row in tx.select_locked(&LOCK, values(lanes)).await? {
            locked.by_id.insert(row.get(0)?, Lane::default());
        }
        let mut letters: Vec<(Uuid, i64, Uuid)> = Vec::new();
        for row in tx.select_locked(&QUEUE, values(replayed.iter().copied())).await? {
            letters.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        letters.sort_unstable();
        for (lane, _, letter) in letters {
            if let Some(lane) = locked.by_id.get_mut(&lane) {
                lane.letters.push_back(letter);
            }
        }
        Ok(locked)
    }

    pub(super) fn is_parked(&self, lane: Uuid) -> bool {
        self.by_id.contains_key(&lane)
    }

    /// Puts a letter at the end of its lane. One that this transaction has taken away is the record that
    /// was just applied, come once more.
    pub(super) fn add(&mut self, letter: Letter) {
        if self.taken.contains(&letter.id) {
            return;
        }
        let lane = self.by_id.entry(letter.lane);
        let lane = lane.or_insert_with(|| Lane { is_new: true, ..Lane::default() });
        if !lane.letters.contains(&letter.id) {
            lane.letters.push_back(letter.id);
        }
        self.added.push(letter);
    }

    /// The letter whose turn it is, in a lane that is replayed.
    pub(super) fn first(&self, lane: Uuid) -> Option<Uuid> {
        self.by_id.get(&lane)?.letters.front().copied()
    }

    /// Takes that letter away.
    pub(super) fn take(&mut self, lane: Uuid) {
        let Some(lane) = self.by_id.get_mut(&lane) else { return };
        lane.moved = true;
        self.taken.extend(lane.letters.pop_front());
    }

    /// Its first letter was tried in vain, so often by now.
    pub(super) fn tried(&mut self, lane: Uuid, reason: Reason, attempts: i64) {
        let Some(lane) = self.by_id.get_mut(&lane) else { return };
        (lane.stuck, lane.moved) = (true, true);
        self.tried.extend(lane.letters.front().map(|letter| (*letter, reason, attempts)));
    }

    /// Nothing more of the lane is tried until an operator asks; answers how many letters are left.
    pub(super) fn leave(&mut self, lane: Uuid) -> usize {
        let Some(lane) = self.by_id.get_mut(&lane) else { return 0 };
        (lane.stuck, lane.moved) = (true, true);
        lane.letters.len()
    }

    /// Writes all of it; answers the letters that are new, and whether there is more to replay.
    pub(super) async fn save(
        self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(Vec<Letter>, bool), StoreError> {
        let Self { by_id: lanes, mut added, taken, tried } = self;
        let new = lanes.iter().filter(|(_, lane)| lane.is_new);
        // Plainly: of two replicas that park an aggregate at once, the second runs its batch again.
        let rows = new.map(|(id, _)| vec![(*id).into(), now.into(), Value::Null(Kind::Int)]);
        tx.insert(&PARKED, rows.collect()).await?;
        // One that is there already came before.
        let rows = added.iter().map(|letter| letter.row(now)).collect();
        let mut inserted = BTreeSet::new();
        for row in tx.insert_new(&letter::TABLE, rows).await? {
            inserted.insert(row.get::<Uuid>(0)?);
        }
        added.retain(|letter| inserted.remove(&letter.id));
        let rows = tried.iter().map(|(id, reason, attempts)| {
            vec![
                (*id).into(),
                reason.cause.into(),
                reason.summary().into(),
                Value::json(&reason.errors),
                (*attempts).into(),
                now.into(),
            ]
        });
        tx.update(&TRIED, rows.collect()).await?;
        tx.discard("dead_letter", "id", Kind::Uuid, values(taken)).await?;
        let moved = lanes.into_iter().filter(|(_, lane)| lane.moved);
        let (empty, left): (Vec<_>, Vec<_>) = moved.partition(|(_, it)| it.letters.is_empty());
        tx.discard("parked", "id", Kind::Uuid, values(empty.into_iter().map(|it| it.0))).await?;
        let due = |lane: &Lane| (!lane.stuck).then_some(now);
        let more = left.iter().any(|(_, lane)| due(lane).is_some());
        let rows = left.iter().map(|(id, lane)| vec![(*id).into(), due(lane).into()]);
        tx.update(&DUE, rows.collect()).await?;
        Ok((added, more))
    }
}

fn values(ids: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
    ids.into_iter().map(Into::into).collect()
}
