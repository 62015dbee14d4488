//! A service in a simulation, whatever its type.

use std::any::Any;

use anyhow::Result;
use async_trait::async_trait;
use engine::{Answer, Status};
use serde_json::Value;
use service::Service;
use uuid::Uuid;

use super::{providers::Providers, schedule::Interruption};

/// A service of any type. Each step returns what came of it in the story's words, or `None` if nothing did.
#[async_trait]
pub(crate) trait Actor: Send {
    fn name(&self) -> &'static str;
    /// The actor of the service's own type.
    fn as_any(&mut self) -> &mut dyn Any;
    /// Applies what waits.
    async fn apply_batch(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn relay(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn effects(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn alarms(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn replay(&mut self) -> Result<Option<String>>;
    /// An operator has held requests attempted at once.
    async fn retry_held(&mut self) -> Result<Option<String>>;
    /// An operator reports what the providers know of the held requests.
    async fn resolve(&mut self, providers: &dyn Providers) -> Result<Option<String>>;
    /// The stored offsets reach the broker.
    fn offsets(&mut self) -> Result<()>;
    /// Its rights at the broker are withdrawn, or granted again.
    fn allow(&mut self, allowed: bool) -> Option<String>;
    async fn stop(&mut self) -> Result<Option<String>>;
    async fn rewind(&mut self) -> Result<Option<String>>;
    /// Its rows, as it lists them for operators.
    async fn rows(&mut self) -> Result<Vec<Value>>;
    /// Where its queues stand.
    async fn status(&mut self) -> Result<Status>;
    /// Forgets the answers that no client has asked for.
    fn forget_answers(&mut self);
}

/// What was answered to a command.
pub struct Heard<S: Service> {
    /// The command's id.
    pub command: Uuid,
    /// The answer.
    pub answer: Answer<S>,
}
