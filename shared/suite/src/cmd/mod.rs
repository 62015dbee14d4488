//! The sub-commands, each in a file of its own.

mod asyncapi;
mod audit;
mod completions;
mod dead_letters;
mod effects;
mod events;
pub(crate) mod id;
mod lag;
mod logs;
mod on_bus;
mod rewind;
mod start;
mod stop;
mod up;

pub use asyncapi::AsyncApi;
pub use audit::Audit;
pub use completions::Completions;
pub use dead_letters::DeadLetters;
pub use effects::Effects;
pub use events::Events;
pub use lag::Lag;
pub use logs::Logs;
pub use rewind::Rewind;
pub use start::Start;
pub use stop::Stop;
pub use up::{Ending, Up, brokers, namespace};

use crate::component::Component;
use crate::control::Control;
use crate::session::Session;
use crate::suite::Suite;
use crate::ui;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Makes the supervisor start or stop a component, and prints that it has.
async fn steer(
    session: &Session,
    verb: &str,
    component: Component,
    done: &str,
) -> Result<ExitCode> {
    let (suite, _) = Suite::running(&session.dir()?).await?;
    suite.component(component)?;
    let Some(control) = &suite.control else {
        bail!("{verb} {component} where it runs: `up` does not run this suite");
    };
    let status = Control::at(control)?.steer(verb, component).await?;
    ui::result(&if session.json { status.to_string() } else { format!("{component} {done}") });
    Ok(ExitCode::SUCCESS)
}
