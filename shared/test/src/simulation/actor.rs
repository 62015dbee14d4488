//! The interface of a service in a simulation, without the service's type.

use std::any::Any;

use anyhow::Result;
use async_trait::async_trait;
use engine::{Answer, Status};
use serde_json::Value;
use service::Service;
use uuid::Uuid;

use super::{providers::Providers, schedule::Interruption};

/// A service of any type. Each step returns the text for the story, or `None` if nothing happened.
#[async_trait]
pub(crate) trait Actor: Send {
    fn name(&self) -> &'static str;
    /// The actor of the service's own type.
    fn as_any(&mut self) -> &mut dyn Any;
    /// Applies a batch of waiting inputs.
    async fn apply_batch(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn relay(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn effects(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn alarms(&mut self, interruption: Option<Interruption>) -> Result<Option<String>>;
    async fn replay(&mut self) -> Result<Option<String>>;
    /// An operator makes the service attempt its held requests at once.
    async fn retry_held(&mut self) -> Result<Option<String>>;
    /// An operator reports the outcomes of the held requests, as the providers know them.
    async fn resolve(&mut self, providers: &dyn Providers) -> Result<Option<String>>;
    /// The stored offsets reach the broker.
    fn offsets(&mut self) -> Result<()>;
    /// Grants the service's rights at the broker, or withdraws them.
    fn allow(&mut self, allowed: bool) -> Option<String>;
    async fn stop(&mut self) -> Result<Option<String>>;
    async fn rewind(&mut self) -> Result<Option<String>>;
    /// The service's rows, as it lists them for operators.
    async fn rows(&mut self) -> Result<Vec<Value>>;
    /// The service's status, with the depths of its queues.
    async fn status(&mut self) -> Result<Status>;
    /// Drops the answers that no client has received.
    fn forget_answers(&mut self);
}

/// The answer to a command, as a client receives it.
pub struct Heard<S: Service> {
    /// The command's id.
    pub command: Uuid,
    /// The answer.
    pub answer: Answer<S>,
}
