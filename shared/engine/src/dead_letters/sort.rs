use std::collections::{BTreeMap, BTreeSet, HashSet};

use event::{Contract, EventType};
use jiff::Timestamp;
use store::{Kind, StoreError, Tx};
use uuid::Uuid;

use super::{Parked, Reason, Unreadable, lanes::Lanes, letter::Letter};
use crate::{Input, Origin, Participant, What, Work};

/// What the inbox says of a batch.
pub(crate) struct Entered {
    /// The places of the inputs that were not applied before, as far as the inbox knows.
    pub(crate) fresh: Vec<usize>,
    /// Whether any aggregate is parked, if the database was asked.
    pub(crate) any_parked: Option<bool>,
}

/// What of a batch is to be parked, by what is known before it is applied.
#[derive(Debug, Default)]
pub struct Parking {
    /// Records that cannot be understood, each with the place in the batch before which it came; in
    /// order.
    pub unreadable: Vec<(usize, Unreadable)>,
    refused: BTreeMap<usize, Reason>,
}

impl Parking {
    /// These records, and nothing else.
    #[must_use]
    pub fn of(unreadable: Vec<(usize, Unreadable)>) -> Self {
        Self { unreadable, refused: BTreeMap::new() }
    }

    /// The input at this place cannot be applied.
    pub fn refuse(&mut self, place: usize, reason: Reason) {
        self.refused.insert(place, reason);
    }

    /// Whether that is known already.
    #[must_use]
    pub fn refuses(&self, place: usize) -> bool {
        self.refused.contains_key(&place)
    }

    /// Of the input at `place` alone, with what came just before it.
    pub(crate) fn only(&mut self, place: usize) -> Self {
        let before = self.unreadable.iter().take_while(|(before, _)| *before <= place).count();
        let unreadable = self.unreadable.drain(..before).map(|(_, it)| (0, it)).collect();
        let refused = self.refused.remove(&place).map(|reason| (0, reason));
        Self { unreadable, refused: refused.into_iter().collect() }
    }

    /// Those that cannot be applied, by their places.
    pub(super) fn refused(&self) -> impl Iterator<Item = (usize, &Reason)> {
        self.refused.iter().map(|(place, reason)| (*place, reason))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unreadable.is_empty() && self.refused.is_empty()
    }
}

/// A batch, sorted into what is applied and what is not.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// What is to be applied, as far as the inbox knows.
    pub(crate) fresh: Vec<usize>,
    /// What is neither applied nor a duplicate.
    pub(crate) aside: Vec<usize>,
    /// Letters that were applied now.
    pub(crate) replayed: Vec<usize>,
    /// New letters.
    pub(super) parked: Vec<Letter>,
    /// There is more to replay.
    pub(crate) more: bool,
}

/// Parks what cannot be applied and whatever comes behind it.
///
/// # Why that misses nothing, with several replicas
///
/// Most batches meet no parked aggregate, and pay nothing to learn that: the statement that enters their
/// ids into the inbox also says whether there is any, or fails if there is. (In SQLite this process
/// alone parks, and so knows it without asking.) Its snapshot is recent enough. Whoever is given
/// an event has taken all earlier ones of its partition itself, or was given the partition at an
/// offset that another replica stored, which it did after its commit: so whatever of them was parked
/// was committed before this batch began. Between topics there is no order: an event that is under
/// way in one while another is parked in the second may as well have come before it.
///
/// If there is any, the lanes are locked and read again. An operator's replay takes the last letter
/// of a lane and the lane's own row in one transaction under the same lock, so an event either gets
/// in line before that, and is replayed too, or finds the lane gone, and is applied.
pub(crate) async fn sort<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    parking: &Parking,
    entered: Entered,
    now: Timestamp,
) -> Result<Sorted, StoreError> {
    let replays = || batch.iter().any(|work| matches!(work.origin, Origin::Parked(_)));
    if entered.any_parked != Some(true) && parking.is_empty() && !replays() {
        return Ok(Sorted { fresh: entered.fresh, ..Sorted::default() });
    }
    let (touched, replayed) = lanes_of(batch, parking);
    let mut sorting = Sorting {
        lanes: Lanes::lock(tx, touched, &replayed).await?,
        fresh: entered.fresh.into_iter().collect(),
        forgotten: BTreeSet::new(),
        sorted: Sorted::default(),
    };
    let mut unreadable = parking.unreadable.iter().peekable();
    for (place, work) in batch.iter().enumerate() {
        while let Some((_, record)) = unreadable.next_if(|(before, _)| *before <= place) {
            sorting.lanes.add(Letter::unreadable::<P::Contract>(record.clone()));
        }
        sorting.place(place, work, parking.refused.get(&place));
    }
    for (_, record) in unreadable {
        sorting.lanes.add(Letter::unreadable::<P::Contract>(record.clone()));
    }
    let Sorting { lanes, forgotten, mut sorted, .. } = sorting;
    (sorted.parked, sorted.more) = lanes.save(tx, now).await?;
    // What is not applied now is not known to the inbox.
    let forgotten = forgotten.into_iter().map(Into::into).collect();
    tx.discard("inbox", "id", Kind::Uuid, forgotten).await?;
    Ok(sorted)
}

/// All lanes that matter to a batch, and those that it replays.
fn lanes_of<P: Participant>(
    batch: &[Work<P>],
    parking: &Parking,
) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let (mut touched, mut replayed) = (BTreeSet::new(), BTreeSet::new());
    for work in batch {
        match &work.origin {
            Origin::Event(_) => _ = touched.insert(lane_of(&work.input)),
            Origin::Parked(letter) => _ = replayed.insert(letter.lane),
            Origin::Command(_) | Origin::Outcome | Origin::Alarm => {}
        }
    }
    touched.extend(&replayed);
    touched.extend(
        parking
            .unreadable
            .iter()
            .map(|(_, record)| Letter::unreadable::<P::Contract>(record.clone()).lane),
    );
    (touched, replayed)
}

/// An event's lane is its aggregate's. An event about no aggregate has a lane to itself.
fn lane_of<P: Participant>(input: &Input<P>) -> Uuid {
    input.aggregate().map_or(input.cause, Into::into)
}

struct Sorting {
    lanes: Lanes,
    fresh: HashSet<usize>,
    /// Ids to take out of the inbox again.
    forgotten: BTreeSet<Uuid>,
    sorted: Sorted,
}

impl Sorting {
    fn place<P: Participant>(&mut self, place: usize, work: &Work<P>, refused: Option<&Reason>) {
        let fresh = self.fresh.contains(&place);
        match (&work.origin, &work.input.what) {
            (Origin::Parked(letter), _) => self.replay(place, work.input.cause, letter, refused),
            _ if !fresh => {}
            (Origin::Event(record), What::Event(event)) => {
                let lane = lane_of(&work.input);
                let reason = match refused {
                    Some(reason) => reason.clone(),
                    None if self.lanes.is_parked(lane) => Reason::behind(),
                    None => return self.sorted.fresh.push(place),
                };
                self.lanes.add(Letter {
                    id: work.input.cause,
                    lane,
                    aggregate: work.input.aggregate().map(Into::into),
                    event_type: Some(event.event_type().as_str()),
                    reason,
                    record: record.clone(),
                });
                self.set_aside(place, work.input.cause);
            }
            // An outcome or an alarm that is refused stays in its table, a command is answered so.
            _ if refused.is_some() => self.set_aside(place, work.input.cause),
            _ => self.sorted.fresh.push(place),
        }
    }

    /// A letter is applied in its turn only, and once.
    fn replay(&mut self, place: usize, id: Uuid, letter: &Parked, refused: Option<&Reason>) {
        // The same event came just before it once more, and was set aside for it.
        let again = self.forgotten.contains(&id);
        let fresh = again || self.fresh.contains(&place);
        match refused {
            _ if self.lanes.first(letter.lane) != Some(letter.letter) => self.set_aside(place, id),
            Some(reason) => {
                self.lanes.tried(letter.lane, reason.clone(), letter.attempt);
                self.set_aside(place, id);
            }
            None => {
                self.lanes.take(letter.lane);
                if fresh {
                    self.forgotten.remove(&id);
                    self.sorted.fresh.push(place);
                    self.sorted.replayed.push(place);
                }
            }
        }
    }

    fn set_aside(&mut self, place: usize, id: Uuid) {
        self.sorted.aside.push(place);
        if self.fresh.contains(&place) {
            self.forgotten.insert(id);
        }
    }
}
