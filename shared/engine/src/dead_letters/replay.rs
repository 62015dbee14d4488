use std::{collections::BTreeSet, sync::Arc};

use clock::Clock;
use event::{Decoded, decode};
use jiff::Timestamp;
use store::{Db, Row, StoreError, Value};
use uuid::Uuid;

use super::{Parked, Reason, lanes::Lanes, letter};
use crate::{
    Input, Origin, Participant, Settings, What, Work,
    claim::{Claim, Mender, Rows, claim},
    participant::consumes,
    settings::{Moment, later},
};

/// Every parked lane. Only those that are to be replayed are ever due.
const PARKED: Rows<'_> = Rows { table: "parked", condition: "true" };
/// Lanes replayed in one turn.
const LANES: usize = 100;
/// Letters of a lane taken at once.
const LETTERS: i64 = 500;

/// Replays the lanes that an operator asked for.
pub struct Replays {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    mender: Mender,
}

impl Replays {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self { db, clock, settings, mender: Mender::default() }
    }

    /// Takes the letters of lanes that are to be replayed, so that for the length of a claim nobody
    /// else does. Each becomes an input, in the order in which they came; it leaves the table when
    /// that is applied. The first of a lane that still cannot be understood ends its replay.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn step<P: Participant>(&self) -> Result<Vec<Work<P>>, StoreError> {
        let now = Moment::of(&*self.clock);
        self.mender.mend(&self.db, PARKED, now, self.settings.claim).await?;
        let now = now.wall;
        let mut works = Vec::new();
        let wanted = Claim {
            table: PARKED.table,
            columns: "id",
            condition: PARKED.condition,
            until: later(now, self.settings.claim),
            limit: LANES,
        };
        for row in claim(&self.db, wanted, now).await? {
            self.lane(row.get(0)?, now, &mut works).await?;
        }
        Ok(works)
    }

    async fn lane<P: Participant>(
        &self,
        lane: Uuid,
        now: Timestamp,
        works: &mut Vec<Work<P>>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "select {}, id from dead_letter where lane = $1 order by seq limit $2",
            letter::RECORD
        );
        let rows = self.db.fetch(&sql, vec![lane.into(), Value::Int(LETTERS)]).await?;
        for row in &rows {
            match work(row, lane)? {
                Ok(work) => works.push(work),
                Err((reason, attempt)) => {
                    return self.tried(lane, row.get(7)?, reason, attempt, now).await;
                }
            }
        }
        Ok(())
    }

    /// Notes that a letter was tried in vain, if it is the lane's first. The turn of any other comes
    /// when those before it are applied.
    async fn tried(
        &self,
        lane: Uuid,
        letter: Uuid,
        reason: Reason,
        attempt: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let of_lane = BTreeSet::from([lane]);
        let mut lanes = Lanes::lock(&mut tx, of_lane.clone(), &of_lane).await?;
        if lanes.first(lane) == Some(letter) {
            let why = reason.to_string();
            tracing::error!(%lane, attempt, why, "a dead letter still cannot be understood");
            lanes.tried(lane, reason, attempt);
            lanes.save(&mut tx, now).await?;
        }
        tx.commit().await
    }
}

type Tried = (Reason, i64);

/// The letter as an input, or why it is none.
fn work<P: Participant>(row: &Row, lane: Uuid) -> Result<Result<Work<P>, Tried>, StoreError> {
    let (record, attempt) = letter::record(row, 0)?;
    let envelope = match decode(&record.key, &record.headers, &record.value) {
        Ok(Decoded::Event(envelope)) if consumes::<P>(&record) => envelope,
        Ok(_) => return Ok(Err((Reason::foreign(), attempt))),
        Err(error) => return Ok(Err((Reason::unreadable(&error), attempt))),
    };
    let input = Input {
        cause: envelope.id.into(),
        at: envelope.at,
        trace: envelope.trace,
        what: What::Event(envelope.event),
    };
    let letter: Uuid = row.get(7)?;
    Ok(Ok(Work { input, origin: Origin::Parked(Parked { letter, lane, attempt, record }) }))
}
