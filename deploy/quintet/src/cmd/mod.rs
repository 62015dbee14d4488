//! The sub-commands, one file each.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod completions;
pub(crate) mod dead_letters;
mod desk;
pub(crate) mod effects;
pub(crate) mod events;
pub(crate) mod lag;
mod on_bus;
pub(crate) mod orders;
pub(crate) mod place;
pub(crate) mod rewind;
pub(crate) mod schema;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod up;
pub(crate) mod watch;

use crate::cli::{Cli, Command, Global};
use crate::control::Control;
use crate::http::Api;
use crate::program::Program;
use crate::suite::Suite;
use crate::ui;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Runs what the command line asks for.
///
/// # Errors
/// What went wrong, to be shown on one line.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let global = cli.global;
    match cli.command {
        None => up::Up::with_demo_products().run(&global).await,
        Some(Command::Up(up)) => up.run(&global).await,
        Some(Command::Stop(stop)) => stop.run(&global).await,
        Some(Command::Start(start)) => start.run(&global).await,
        Some(Command::Place(place)) => place.run(&global).await,
        Some(Command::Watch(watch)) => watch.run(&global).await,
        Some(Command::Orders(orders)) => orders.run(&global).await,
        Some(Command::Audit(audit)) => audit.run(&global).await,
        Some(Command::Chaos(chaos)) => chaos.run(&global).await,
        Some(Command::Bench(bench)) => bench.run(&global).await,
        Some(Command::DeadLetters(letters)) => letters.run(&global).await,
        Some(Command::Effects(effects)) => effects.run(&global).await,
        Some(Command::Events(events)) => events.run(&global).await,
        Some(Command::Lag(lag)) => lag.run(&global).await,
        Some(Command::Rewind(rewind)) => rewind.run(&global).await,
        Some(Command::Schema(schema)) => Ok(schema.run(&global)),
        Some(Command::Completions(completions)) => completions.run(&global),
    }
}

/// An error with its causes; some libraries' errors already repeat theirs.
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The suite that runs on the given data directory, and a client to ask it.
async fn running(global: &Global) -> Result<(Suite, Api)> {
    let (suite, _) = Suite::running(&global.dir()?).await?;
    Ok((suite, Api::new()?))
}

/// The same where a program is needed: one that nobody will start is not waited for.
async fn running_with(global: &Global, program: Program) -> Result<(Suite, Api)> {
    let (suite, launcher) = Suite::running(&global.dir()?).await?;
    if let Some(why) = launcher.why_down(program) {
        bail!(why);
    }
    Ok((suite, Api::new()?))
}

/// Has the supervisor start or stop a program, and reports that it did.
async fn control(global: &Global, verb: &str, program: Program, done: &str) -> Result<ExitCode> {
    let (suite, _) = Suite::running(&global.dir()?).await?;
    let Some(control) = &suite.control else {
        bail!("{verb} {program} where it runs: `quintet up` does not run this suite");
    };
    let status = Control::at(control)?.steer(verb, program).await?;
    ui::result(&if global.json { status.to_string() } else { format!("{program} {done}") });
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn an_error_says_each_cause_once() {
        let refused = || std::io::Error::other("refused");
        let plain = Err::<(), _>(refused()).context("cannot connect").unwrap_err();
        assert_eq!(explain(&plain), "cannot connect: refused");
        let repeats = sqlx::Error::Io(refused());
        let repeating = Err::<(), _>(repeats).context("cannot connect").unwrap_err();
        assert_eq!(explain(&repeating).matches("refused").count(), 1);
    }
}
