//! What an operator asks about requests to the outside world, and does with those that are held.

use std::sync::atomic::Ordering;

use event::EffectId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Payload;
use store::{Json, Row, StoreError, Value};
use utoipa::ToSchema;

use crate::{AggregateField, Effect, Engine, Participant, settings::later};

/// Some of the requests that have no definite answer yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectPage {
    /// The requests, in the order of their ids.
    pub effects: Vec<EffectView>,
    /// Give it as `after` to go on; null at the end.
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
    /// What came of the last attempt.
    pub last_error: Option<String>,
    /// The outcome that an operator reported, until it is applied.
    pub resolution: Option<Resolution>,
    /// The request itself, without what is secret.
    #[schema(value_type = Option<Object>)]
    pub request: Option<Payload>,
}

/// The definite outcome of a held request, as an operator found it at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// What came of it, in a word that the service knows for such a request, as `booked` or `refused`; or
    /// `never_arrived`, if the provider has no such request and refuses it from now on.
    #[schema(example = "booked", min_length = 1, max_length = 500)]
    pub outcome: String,
    /// The provider's reference, of what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ref_1", min_length = 1, max_length = 500)]
    pub reference: Option<String>,
    /// Why, of what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

impl Resolution {
    /// The longest outcome, reference or reason, in characters.
    pub const LONGEST_TEXT: usize = 500;

    /// The outcome of a request that the provider never received, and that it refuses from now on.
    pub const NEVER_ARRIVED: &'static str = "never_arrived";

    /// The provider's reference.
    ///
    /// # Errors
    /// If there is none.
    pub fn reference(&self) -> Result<String, Impossible> {
        self.reference.clone().ok_or_else(|| {
            let why =
                format!("is missing: the outcome {} has the provider's reference", self.outcome);
            Impossible { field: "reference", why }
        })
    }

    /// Why the provider refused; without a reason, a standard one. That of a request that never arrived says so.
    #[must_use]
    pub fn reason(&self) -> String {
        // The audit knows by this beginning that the provider's ledger has no entry of the request.
        let never_arrived = "never arrived";
        match (self.outcome == Self::NEVER_ARRIVED, &self.reason) {
            (true, Some(reason)) => format!("{never_arrived}: {reason}"),
            (true, None) => never_arrived.to_owned(),
            (false, Some(reason)) => reason.clone(),
            (false, None) => "refused, as an operator found at the provider".to_owned(),
        }
    }

    fn check(&self) -> Result<(), Impossible> {
        for (field, text) in [("reference", &self.reference), ("reason", &self.reason)] {
            let Some(text) = text else { continue };
            let long = text.trim().is_empty() || text.chars().count() > Self::LONGEST_TEXT;
            if long || text.contains(char::is_control) {
                let why = format!(
                    "must be 1 to {} characters, none of them a control character",
                    Self::LONGEST_TEXT
                );
                return Err(Impossible { field, why });
            }
        }
        Ok(())
    }
}

/// A request cannot have the outcome that an operator reports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct Impossible {
    /// The field of the [`Resolution`] that is wrong.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl Impossible {
    /// The request has no such outcome; `possible` lists those that it can have.
    #[must_use]
    pub fn outcome(possible: &str) -> Self {
        Self { field: "outcome", why: format!("must be {possible}") }
    }
}

/// Why a request cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It has been answered, or there never was one.
    #[error("no request with this id waits for an answer")]
    Unknown,
    /// The service still asks by itself.
    #[error(
        "this request is not held: it is still attempted, and only a held request can be resolved"
    )]
    NotHeld,
    /// Another outcome was reported before.
    #[error("this request is resolved as {outcome} already, which is applied at {applied_at}")]
    Resolved {
        /// That outcome.
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
    /// Requests without a definite answer, after the id `after`, at most `limit`; only those that are held, if
    /// asked for.
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

    /// Makes a request due at once, or every held request if `id` is `None`. Returns how many are. A request that is
    /// resolved is not attempted any more, and its outcome keeps its time.
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

    /// Ends a held request with the outcome that an operator found at the provider. It is applied once an attempt that
    /// may be under way is over; if that attempt is answered, the provider's answer counts. Returns when. The same
    /// outcome may be reported again, which changes nothing.
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
        // No attempt that began before now is still under way then.
        let applied_at = later(self.clock.now(), self.settings.claim);
        let mut tx = self.db.begin().await?;
        let sql = "update effect set resolution = $1, due_at = $2 where id = $3";
        let values = vec![Value::json(resolution), applied_at.into(), id.into()];
        let found = tx.execute(sql, values).await?;
        tx.commit().await?;
        if found == 0 {
            return Err(ResolveError::Unknown);
        }
        crate::crash_point!(AfterResolve, &crate::crash_points::Asked::of::<P>(&effect));
        let (effect, outcome) = (effect.name(), &resolution.outcome);
        tracing::warn!(effect_id = %id, effect, outcome, %applied_at, "an operator resolved a held request");
        Ok(applied_at)
    }
}

impl<P: Participant> super::EffectQueue<P> {
    /// Has the runner look at the table at once.
    fn look_at_table(&self) {
        self.overflow.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

fn view<P: Participant>(row: &Row) -> Result<EffectView, StoreError> {
    // A newer version may have written what this one cannot read.
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
