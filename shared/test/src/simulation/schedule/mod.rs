//! What happens in a run, drawn from its seed before anything happens.
//!
//! A schedule is plain data. Each step has a seed of its own for what is drawn within it, so that the other steps
//! stay what they are when one is taken out.

mod apart;
mod draw;

use std::time::Duration;

pub(crate) use draw::Cast;
pub use draw::Profile;

/// What a step does. Services are named by their [`NAME`](engine::Participant::NAME), actions of the workload by the
/// names in its [`Actions`](super::Actions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The workload opens another story.
    Open(&'static str),
    /// The workload does something else.
    Ask(&'static str),
    /// A service takes what waits and applies it in one batch.
    ApplyBatch(&'static str),
    /// A service publishes its outbox.
    Relay(&'static str),
    /// A service asks the outside world.
    Effects(&'static str),
    /// A service looks for alarms that are due.
    Alarms(&'static str),
    /// An operator has a service try its dead letters again.
    Replay(&'static str),
    /// The offsets that a service has stored reach the broker.
    Offsets(&'static str),
    /// A service is stopped in order.
    Stop(&'static str),
    /// A service crashes, and its group is set back to the beginning.
    Rewind(&'static str),
    /// An operator has a service's held requests attempted at once.
    RetryHeld(&'static str),
    /// An operator looks up a service's held requests at the provider, and reports what came of them.
    Resolve(&'static str),
    /// The broker denies a service everything until [`Action::Grant`].
    Withdraw(&'static str),
    /// The broker grants a service its rights again.
    Grant(&'static str),
    /// A request that was given up reaches its provider.
    Arrive,
    /// Time passes.
    Pass(Duration),
    /// The clock is set back.
    SetBack(Duration),
    /// The clock is set forward. No time passes.
    SetForward(Duration),
}

/// Where a service is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// At this operation of the database in this step, counted from 1. An open transaction is rolled back.
    Operation(u64),
    /// In this commit of the step, counted from 1. It goes through, and the service never hears of it.
    Commit(u64),
    /// When all is done, and before anything is told.
    End,
}

/// What becomes of an interrupted service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It dies, and starts again when it is next needed.
    Crash,
    /// It lives, and does not know what came of its transaction.
    GiveUp,
}

/// An interruption of a service in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Where.
    pub spot: Spot,
    /// What becomes of it.
    pub then: Then,
}

/// What goes wrong between a service and what it asks: the broker or a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is turned away (503): nothing happens.
    Refused,
    /// It happens, and the answer is lost.
    AnswerLost,
    /// No answer comes in time; it happens later.
    Late,
    /// The request itself is refused as malformed (400): nothing happens.
    Malformed,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// Where the service is interrupted, if it is.
    pub interruption: Option<Interruption>,
    /// What the service meets outside, if anything.
    pub fault: Option<Fault>,
    /// Draws what happens within the step.
    pub seed: u64,
}

impl Step {
    /// The same step doing something else, without faults. A step that opens a story stays what it is.
    #[must_use]
    fn doing(self, action: Action) -> Self {
        match self.action {
            Action::Open(_) => self,
            _ => Self { action, interruption: None, fault: None, ..self },
        }
    }
}

/// What holds for a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Partitions of each topic.
    pub partitions: i32,
    /// Effects of a service under way at once.
    pub concurrency: usize,
    /// For how long an effect or an alarm is claimed.
    pub claim: Duration,
    /// Of what could be taken into a batch, how much is still on its way, in percent.
    pub held_up: u64,
    /// How often a service that has nothing to do lets the next one go, in percent.
    pub eager: u64,
    /// How many records a service does not understand when they first come, in percent.
    pub poison: u64,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What it was drawn from.
    pub seed: u64,
    /// What holds throughout.
    pub setting: Setting,
    /// What happens, one after the other.
    pub steps: Vec<Step>,
}
