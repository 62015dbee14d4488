//! The fault knobs: how each provider fails, and the random numbers that decide when.

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
    /// The share of requests that fail before anything happens.
    pub error_rate: Rate,
    /// The share of requests whose effect is recorded but whose answer is lost.
    pub lost_answer_rate: Rate,
    /// Whether every request is rejected at once.
    pub outage: bool,
    /// How poisoned requests fail; without it they are served like all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
}

/// How a provider fails poisoned requests. Nothing is recorded for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// It refuses them as malformed.
    Refuse,
    /// It is unavailable for them.
    Unavailable,
    /// It does not answer them.
    Hang,
}

/// The longest time that a hanging request stays open. Clients give up long before.
const HANGS: Duration = Duration::from_secs(30);

/// The knobs of all providers, as `PUT /faults` sets them. Knobs that are left out are off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// The payment gateway.
    pub payment: Knobs,
    /// The carrier.
    pub carrier: Knobs,
    /// The mail sink.
    pub mail: Knobs,
    /// The seed of the random numbers, so that a run can be repeated.
    pub seed: u64,
}

/// A provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The payment gateway.
    Payment,
    /// The carrier.
    Carrier,
    /// The mail sink.
    Mail,
}

/// Why a request was rejected without anything recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The provider is out of service.
    Outage,
    /// By chance, or because the request is poisoned.
    Error,
    /// The request is poisoned and refused as malformed.
    Malformed,
}

/// A request that may proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its effect is recorded, but its answer must not arrive.
    pub answer_lost: bool,
}

/// The plan in force and its random numbers.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    // One generator per provider, so that its faults depend on its own requests only.
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

/// The faults that were drawn for one request.
struct Drawn {
    knobs: Knobs,
    error: bool,
    answer_lost: bool,
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

    /// Replaces the plan and restarts the random numbers from its seed.
    pub fn replace(&self, plan: FaultPlan) {
        *self.state() = State::new(plan);
    }

    /// Admits a request after the provider's latency.
    ///
    /// # Errors
    /// If the provider is out of service or the request fails by chance. Then nothing may be recorded.
    pub async fn admit(&self, provider: Provider) -> Result<Admitted, TurnedAway> {
        let Drawn { knobs, error, answer_lost } = self.draw(provider);
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

    /// Admits a poisoned request unless the knob `poison` is set.
    ///
    /// # Errors
    /// If that knob is set. Then nothing may be recorded.
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

    fn draw(&self, provider: Provider) -> Drawn {
        let mut state = self.state();
        let knobs = state.plan.knobs(provider);
        let dice = &mut state.dice[provider as usize];
        // Both numbers are always drawn, so that changing one rate does not change the other kind of fault.
        let error = dice.random_bool(knobs.error_rate.0);
        let answer_lost = dice.random_bool(knobs.lost_answer_rate.0);
        Drawn { knobs, error, answer_lost }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every update is a plain assignment, which a panic cannot leave half done.
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

    fn draws(plan: FaultPlan, provider: Provider) -> Vec<(bool, bool)> {
        let faults = Faults::new(plan);
        let draw = || faults.draw(provider);
        std::iter::repeat_with(draw)
            .take(400)
            .map(|drawn| (drawn.error, drawn.answer_lost))
            .collect()
    }

    fn plan(seed: u64) -> FaultPlan {
        let knobs =
            Knobs { error_rate: Rate(0.5), lost_answer_rate: Rate(0.1), ..Knobs::default() };
        FaultPlan { payment: knobs, carrier: knobs, seed, ..FaultPlan::default() }
    }

    #[test]
    fn a_seed_repeats_its_run_and_another_does_not() {
        assert_eq!(draws(plan(7), Provider::Payment), draws(plan(7), Provider::Payment));
        assert_ne!(draws(plan(7), Provider::Payment), draws(plan(8), Provider::Payment));
        assert_ne!(draws(plan(7), Provider::Payment), draws(plan(7), Provider::Carrier));
    }

    #[test]
    fn faults_occur_at_their_rates() {
        let drawn = draws(plan(1), Provider::Payment);
        let errors = drawn.iter().filter(|(error, _)| *error).count();
        let lost = drawn.iter().filter(|(_, lost)| *lost).count();
        assert!((150..250).contains(&errors), "{errors} of 400 at 0.5");
        assert!((15..80).contains(&lost), "{lost} of 400 at 0.1");
    }
}
