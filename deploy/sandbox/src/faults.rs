//! The fault knobs: how badly each provider behaves, and the dice that decide it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// A probability from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(format!("a rate is a number from 0 to 1, not {value}"))
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// How one provider misbehaves; all off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Milliseconds to wait before the effect.
    pub latency_ms: u64,
    /// How many requests fail before anything happens.
    pub error_rate: Rate,
    /// How many effects are recorded but never answered.
    pub lost_answer_rate: Rate,
    /// Turns every request away at once.
    pub outage: bool,
    /// What becomes of requests that are marked as poisoned; without it they are like any others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
}

/// What a provider does with poisoned requests. Nothing is recorded of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// Refuses them as malformed.
    Refuse,
    /// Is not available for them.
    Unavailable,
    /// Leaves them without an answer.
    Hang,
}

/// How long a request that hangs stays open, at most. Clients give up long before.
const HANGS: Duration = Duration::from_secs(30);

/// The knobs of all providers, as `PUT /faults` sets them; what it leaves out is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// The payment gateway.
    pub payment: Knobs,
    /// The carrier.
    pub carrier: Knobs,
    /// The mail sink.
    pub mail: Knobs,
    /// Where the dice start, so that a run can be repeated.
    pub seed: u64,
}

/// Who is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The payment gateway.
    Payment,
    /// The carrier.
    Carrier,
    /// The mail sink.
    Mail,
}

/// Why a request was turned away with nothing recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The provider is out of service.
    Outage,
    /// The dice chose an error, or the request is poisoned.
    Error,
    /// The request is poisoned, and counts as malformed.
    Malformed,
}

/// A request that may proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its effect is recorded, but its answer must not arrive.
    pub answer_lost: bool,
}

/// The plan in force and its dice.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    // One per provider, so that each one's luck depends on its own requests only.
    dice: [Xoshiro256PlusPlus; 3],
}

impl State {
    fn new(plan: FaultPlan) -> Self {
        let dice = [0, 1, 2].map(|nth| {
            Xoshiro256PlusPlus::seed_from_u64(plan.seed.wrapping_mul(3).wrapping_add(nth))
        });
        Self { plan, dice }
    }
}

impl Faults {
    /// Puts `plan` in force.
    #[must_use]
    pub fn new(plan: FaultPlan) -> Self {
        Self(Mutex::new(State::new(plan)))
    }

    /// The plan in force.
    #[must_use]
    pub fn plan(&self) -> FaultPlan {
        self.state().plan
    }

    /// Replaces the plan and starts the dice anew from its seed.
    pub fn replace(&self, plan: FaultPlan) {
        *self.state() = State::new(plan);
    }

    /// Lets one request pass, after the provider's latency.
    ///
    /// # Errors
    /// When the provider is out or the dice say so; then nothing may be recorded.
    pub async fn admit(&self, provider: Provider) -> Result<Admitted, TurnedAway> {
        let (knobs, error, answer_lost) = self.throw(provider);
        if knobs.outage {
            return Err(TurnedAway::Outage);
        }
        if knobs.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(knobs.latency_ms)).await;
        }
        if error {
            return Err(TurnedAway::Error);
        }
        Ok(Admitted { answer_lost })
    }

    /// Lets a request pass unless it is poisoned and the provider minds.
    ///
    /// # Errors
    /// When the provider turns poisoned requests away; then nothing may be recorded.
    pub async fn admit_poisoned(&self, provider: Provider) -> Result<(), TurnedAway> {
        let poison = self.state().plan.knobs(provider).poison;
        match poison {
            None => Ok(()),
            Some(Poison::Refuse) => Err(TurnedAway::Malformed),
            Some(Poison::Unavailable) => Err(TurnedAway::Error),
            Some(Poison::Hang) => {
                tokio::time::sleep(HANGS).await;
                Err(TurnedAway::Error)
            }
        }
    }

    /// Whether the provider is out of service.
    #[must_use]
    pub fn out(&self, provider: Provider) -> bool {
        self.state().plan.knobs(provider).outage
    }

    fn throw(&self, provider: Provider) -> (Knobs, bool, bool) {
        let mut state = self.state();
        let knobs = state.plan.knobs(provider);
        let dice = &mut state.dice[provider as usize];
        // Both are always thrown: changing one rate then leaves the other's luck as it was.
        let error = dice.random_bool(knobs.error_rate.0);
        let answer_lost = dice.random_bool(knobs.lost_answer_rate.0);
        (knobs, error, answer_lost)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every update is a plain assignment: a panic elsewhere cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultPlan {
    fn knobs(&self, provider: Provider) -> Knobs {
        match provider {
            Provider::Payment => self.payment,
            Provider::Carrier => self.carrier,
            Provider::Mail => self.mail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throws(plan: FaultPlan, provider: Provider) -> Vec<(bool, bool)> {
        let faults = Faults::new(plan);
        let throw = || faults.throw(provider);
        std::iter::repeat_with(throw).take(400).map(|(_, error, lost)| (error, lost)).collect()
    }

    fn plan(seed: u64) -> FaultPlan {
        let knobs =
            Knobs { error_rate: Rate(0.5), lost_answer_rate: Rate(0.1), ..Knobs::default() };
        FaultPlan { payment: knobs, carrier: knobs, seed, ..FaultPlan::default() }
    }

    #[test]
    fn a_seed_repeats_its_run_and_another_does_not() {
        assert_eq!(throws(plan(7), Provider::Payment), throws(plan(7), Provider::Payment));
        assert_ne!(throws(plan(7), Provider::Payment), throws(plan(8), Provider::Payment));
        assert_ne!(throws(plan(7), Provider::Payment), throws(plan(7), Provider::Carrier));
    }

    #[test]
    fn rates_are_kept() {
        let thrown = throws(plan(1), Provider::Payment);
        let errors = thrown.iter().filter(|(error, _)| *error).count();
        let lost = thrown.iter().filter(|(_, lost)| *lost).count();
        assert!((150..250).contains(&errors), "{errors} of 400 at 0.5");
        assert!((15..80).contains(&lost), "{lost} of 400 at 0.1");
    }
}
