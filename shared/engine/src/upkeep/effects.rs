//! Lists requests to the outside world for an operator, and retries or resolves those that are held.

use event::EffectId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Payload;
use store::{Json, Row, StoreError, Value};
use utoipa::ToSchema;

use crate::{AggregateField, Effect, Engine, Impossible, Participant, Resolution, settings::later};

/// Some of the requests that have no definite answer yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectPage {
    /// The requests, in the order of their ids.
    pub effects: Vec<EffectView>,
    /// The `after` of the next page; null on the last page.
    pub next: Option<EffectId>,
}

/// A request to the outside world that has no definite answer yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectView {
    /// Its id, which is also the idempotency key that the provider has been given.
    pub id: EffectId,
    /// The aggregate that it is made for.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// What is requested, such as `reserve`; null if a newer version wrote it.
    pub name: Option<String>,
    /// How often it was attempted.
    pub attempts: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it is attempted next.
    pub due_at: Timestamp,
    /// Since when it is held for an operator; null if it is not.
    pub held_since: Option<Timestamp>,
    /// Why the last attempt had no definite answer.
    pub last_error: Option<String>,
    /// The outcome that an operator reported, until it is applied.
    pub resolution: Option<Resolution>,
    /// The request itself, without secrets.
    #[schema(value_type = Option<Object>)]
    pub request: Option<Payload>,
}

/// Why a request cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The request has been answered, or never existed.
    #[error("no request with this id waits for an answer")]
    Unknown,
    /// The request is not held: the service still attempts it.
    #[error(
        "this request is not held: it is still attempted, and only a held request can be resolved"
    )]
    NotHeld,
    /// Another outcome was reported before.
    #[error("this request is resolved as {outcome} already, which is applied at {applied_at}")]
    Resolved {
        /// The outcome that was reported before.
        outcome: String,
        /// When it is applied.
        applied_at: Timestamp,
    },
    /// The request cannot have this outcome.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const VIEW: &str =
    "id, aggregate_id, payload, attempts, created_at, due_at, held_at, last_error, resolution";

impl<P: Participant> Engine<P> {
    /// Lists requests without a definite answer, after the id `after`, at most `limit`. With `held_only`, lists only
    /// those that are held.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn effects(
        &self,
        held_only: bool,
        after: Option<EffectId>,
        limit: i64,
    ) -> Result<EffectPage, StoreError> {
        let held = if held_only { "held_at is not null" } else { "true" };
        let sql =
            format!("select {VIEW} from effect where id > $1 and {held} order by id limit $2");
        let after = after.map_or(uuid::Uuid::nil(), EffectId::uuid);
        let rows = self.db.fetch(&sql, vec![after.into(), Value::Int(limit)]).await?;
        let effects = rows.iter().map(view::<P>).collect::<Result<Vec<_>, _>>()?;
        let full = i64::try_from(effects.len()).unwrap_or(i64::MAX) >= limit;
        let next = effects.last().map(|last| last.id).filter(|_| full);
        Ok(EffectPage { effects, next })
    }

    /// One request without a definite answer.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn effect(&self, id: EffectId) -> Result<Option<EffectView>, StoreError> {
        let sql = format!("select {VIEW} from effect where id = $1");
        let rows = self.db.fetch(&sql, vec![id.into()]).await?;
        rows.first().map(view::<P>).transpose()
    }

    /// Makes a request due at once, or every held request if `id` is `None`. Returns how many became due. A request
    /// that is resolved is not attempted any more, and its outcome keeps its time.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn retry_effects(&self, id: Option<EffectId>) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let retried = if let Some(id) = id {
            let sql = "update effect set due_at = $1 where id = $2 and resolution is null";
            tx.execute(sql, vec![now.into(), id.into()]).await?
        } else {
            let sql =
                "update effect set due_at = $1 where held_at is not null and resolution is null";
            tx.execute(sql, vec![now.into()]).await?
        };
        tx.commit().await?;
        self.effects.look_at_table();
        Ok(retried)
    }

    /// Ends a held request with the outcome that an operator found at the provider, and returns when that outcome is
    /// applied. Until then, an attempt that may be under way has ended. If that attempt is answered, the provider's
    /// answer counts. The same outcome may be reported again, which changes nothing.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve_effect(
        &self,
        id: EffectId,
        resolution: &Resolution,
    ) -> Result<Timestamp, ResolveError> {
        resolution.check()?;
        let sql = "select payload, held_at, resolution, due_at from effect where id = $1";
        let rows = self.db.fetch(sql, vec![id.into()]).await?;
        let row = rows.first().ok_or(ResolveError::Unknown)?;
        if row.get::<Option<Timestamp>>(1)?.is_none() {
            return Err(ResolveError::NotHeld);
        }
        if let Some(Json(before)) = row.get::<Option<Json<Resolution>>>(2)? {
            let applied_at: Timestamp = row.get(3)?;
            if before == *resolution {
                return Ok(applied_at);
            }
            return Err(ResolveError::Resolved { outcome: before.outcome, applied_at });
        }
        let Json(effect): Json<P::Effect> = row.get(0)?;
        P::resolve(&effect, resolution)?;
        // By then, no attempt that began before now is still under way.
        let applied_at = later(self.clock.now(), self.settings.claim);
        let mut tx = self.db.begin().await?;
        let sql = "update effect set resolution = $1, due_at = $2 where id = $3";
        let values = vec![Value::json(resolution), applied_at.into(), id.into()];
        let found = tx.execute(sql, values).await?;
        tx.commit().await?;
        if found == 0 {
            return Err(ResolveError::Unknown);
        }
        crate::crash_point!(AfterResolve, &crate::faults::crash_points::Asked::of::<P>(&effect));
        let (effect, outcome) = (effect.name(), &resolution.outcome);
        tracing::warn!(effect_id = %id, effect, outcome, %applied_at, "an operator resolved a held request");
        Ok(applied_at)
    }
}

fn view<P: Participant>(row: &Row) -> Result<EffectView, StoreError> {
    // A newer version may have written a request that this one cannot read.
    let effect = row.get::<Json<P::Effect>>(2).ok().map(|Json(effect)| effect);
    Ok(EffectView {
        id: row.get(0)?,
        aggregate: AggregateField::of::<P::Contract>(row.get(1)?),
        name: effect.as_ref().map(Effect::name),
        attempts: row.get(3)?,
        created_at: row.get(4)?,
        due_at: row.get(5)?,
        held_since: row.get(6)?,
        last_error: row.get(7)?,
        resolution: row.get::<Option<Json<Resolution>>>(8)?.map(|Json(resolution)| resolution),
        request: effect.as_ref().map(Effect::shown),
    })
}
