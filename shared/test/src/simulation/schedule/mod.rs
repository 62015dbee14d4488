//! The schedule of a run: all its steps, drawn from its seed before the run begins.
//!
//! A schedule is plain data. Each step has a seed of its own for what is drawn within it, so that leaving out a step does not
//! change what the other steps draw.

mod apart;
mod draw;

use std::time::Duration;

pub(crate) use draw::Cast;
pub use draw::Profile;

/// The action of a step. A service is given by its [`NAME`](engine::Participant::NAME), an action of the workload by its name
/// in [`Actions`](super::Actions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The workload takes its opening action.
    Open(&'static str),
    /// The workload takes another action.
    Ask(&'static str),
    /// A service applies a batch of waiting inputs.
    ApplyBatch(&'static str),
    /// A service publishes its outbox.
    Relay(&'static str),
    /// A service attempts requests to providers.
    Effects(&'static str),
    /// A service searches for due alarms.
    Alarms(&'static str),
    /// An operator replays the dead letters of a service.
    Replay(&'static str),
    /// The offsets that a service has stored reach the broker.
    Offsets(&'static str),
    /// A service is stopped and drains.
    Stop(&'static str),
    /// A service crashes, and its group is set back to the beginning.
    Rewind(&'static str),
    /// An operator makes a service attempt its held requests at once.
    RetryHeld(&'static str),
    /// An operator looks up a service's held requests at the provider, and reports their outcomes.
    Resolve(&'static str),
    /// The broker withdraws the rights of a service until [`Action::Grant`].
    Withdraw(&'static str),
    /// The broker grants the rights of a service again.
    Grant(&'static str),
    /// A late request, which its service has given up, reaches its provider.
    Arrive,
    /// Time passes.
    Pass(Duration),
    /// The clock is set back.
    SetBack(Duration),
    /// The clock is set forward. No time passes.
    SetForward(Duration),
}

/// The point at which a service is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// At this database operation of the step, counted from 1. An open transaction is rolled back.
    Operation(u64),
    /// In this commit of the step, counted from 1. The commit succeeds, and the service does not learn of it.
    Commit(u64),
    /// After the last commit, and before the service answers commands or stores offsets.
    End,
}

/// The consequence of an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The process dies. A new one starts when it is next needed.
    Crash,
    /// The process lives, and does not know the outcome of its transaction.
    GiveUp,
}

/// An interruption of a service in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The point.
    pub spot: Spot,
    /// The consequence.
    pub then: Then,
}

/// A fault between a service and the broker or a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is turned away (503), and not carried out.
    Refused,
    /// The request is carried out, and the answer is lost.
    AnswerLost,
    /// No answer comes in time. The request is carried out later.
    Late,
    /// The request is refused as malformed (400), and not carried out.
    Malformed,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The action.
    pub action: Action,
    /// The interruption of the service, if there is one.
    pub interruption: Option<Interruption>,
    /// The fault that requests to the broker or to providers may meet, if there is one.
    pub fault: Option<Fault>,
    /// The seed of what is drawn within the step.
    pub seed: u64,
}

impl Step {
    /// The same step with another action and without faults. A step that opens a story is left as it is.
    #[must_use]
    fn doing(self, action: Action) -> Self {
        match self.action {
            Action::Open(_) => self,
            _ => Self { action, interruption: None, fault: None, ..self },
        }
    }
}

/// The properties of a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The number of partitions of each topic.
    pub partitions: i32,
    /// How many requests of a service may be under way at once.
    pub concurrency: usize,
    /// For how long an effect or an alarm is claimed.
    pub claim: Duration,
    /// The percentage of waiting inputs that have not arrived yet when a batch is made.
    pub held_up: u64,
    /// The percentage of steps in which another service may act if the drawn one has nothing to do.
    pub eager: u64,
    /// The percentage of records that a service does not understand when they first come.
    pub poison: u64,
}

/// The schedule of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// The properties of the run.
    pub setting: Setting,
    /// The steps, in order.
    pub steps: Vec<Step>,
}
