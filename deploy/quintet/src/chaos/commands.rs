//! Shell commands by which the user lets the run reach processes that `quintet up` does not supervise.

use super::action::ActionKind;
use anyhow::{Context, Result, bail};
use clap::Args;
use quintet_suite::Component;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a command may run. A server that recovers after a crash can need most of that.
const TIME_OUT: Duration = Duration::from_mins(2);
/// The placeholder in a command for the name of the program.
const SERVICE: &str = "{service}";

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How to reach what `quintet up` does not run")]
pub(super) struct Commands {
    /// Restarts Kafka, as in 'kill -9 $(cat .quintet/kafka/pid); sleep 1; deploy/kafka/start'
    #[arg(long, value_name = "CMD")]
    restart_kafka: Option<String>,
    /// Restarts PostgreSQL, as in 'pg_ctl -D DIR -m immediate -w restart -l DIR/log'
    #[arg(long, value_name = "CMD")]
    restart_postgres: Option<String>,
    /// Kills a program, as in 'docker compose kill {service}'; `quintet up` needs none of these
    #[arg(long, value_name = "CMD", requires = "start_with", value_parser = for_service)]
    kill_with: Option<String>,
    /// Starts a program, as in 'docker compose start {service}'; also run for programs that are up
    #[arg(long, value_name = "CMD", requires = "kill_with", value_parser = for_service)]
    start_with: Option<String>,
    /// Pauses a program, as in 'docker compose pause {service}'
    #[arg(long, value_name = "CMD", requires = "resume_with", value_parser = for_service)]
    pause_with: Option<String>,
    /// Resumes a paused program, as in 'docker compose unpause {service}'
    #[arg(long, value_name = "CMD", requires = "pause_with", value_parser = for_service)]
    resume_with: Option<String>,
    /// Stops a program gracefully and starts it, as in 'docker compose restart {service}'
    #[arg(long, value_name = "CMD", value_parser = for_service)]
    restart_with: Option<String>,
}

/// What a command does to a program.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Kill,
    Start,
    Pause,
    Resume,
    Restart,
}

impl Commands {
    /// The kinds of actions for which the user gave a command.
    pub(super) fn possible(&self) -> impl Iterator<Item = ActionKind> {
        let commands = [
            (ActionKind::Kafka, &self.restart_kafka),
            (ActionKind::Postgres, &self.restart_postgres),
            (ActionKind::Kill, &self.kill_with),
            (ActionKind::Pause, &self.pause_with),
            (ActionKind::Restart, &self.restart_with),
        ];
        commands.into_iter().filter_map(|(kind, command)| command.as_ref().map(|_| kind))
    }

    /// Whether the user gave a command for this.
    pub(super) const fn can(&self, verb: Verb) -> bool {
        self.command(verb).is_some()
    }

    /// Runs the command for a program.
    ///
    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn run(&self, verb: Verb, program: Component) -> Result<()> {
        let command = self.command(verb).context("the user gave no command for it")?;
        run(&command.replace(SERVICE, program.name())).await
    }

    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn restart_kafka(&self) -> Result<()> {
        run(self.restart_kafka.as_ref().context("the user gave no --restart-kafka")?).await
    }

    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn restart_postgres(&self) -> Result<()> {
        run(self.restart_postgres.as_ref().context("the user gave no --restart-postgres")?).await
    }

    const fn command(&self, verb: Verb) -> Option<&String> {
        match verb {
            Verb::Kill => self.kill_with.as_ref(),
            Verb::Start => self.start_with.as_ref(),
            Verb::Pause => self.pause_with.as_ref(),
            Verb::Resume => self.resume_with.as_ref(),
            Verb::Restart => self.restart_with.as_ref(),
        }
    }
}

fn for_service(text: &str) -> Result<String, String> {
    if text.contains(SERVICE) {
        Ok(text.to_owned())
    } else {
        Err(format!("write {SERVICE} in the command where the program's name belongs"))
    }
}

/// Runs a command by the shell. The output is discarded: a server that the command starts would inherit a pipe and keep it
/// open.
async fn run(command: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let finished = timeout(TIME_OUT, shell.status()).await;
    let finished = finished.with_context(|| format!("`{command}` takes more than two minutes"))?;
    let status = finished.with_context(|| format!("cannot run `{command}`"))?;
    if !status.success() {
        bail!("`{command}` failed: {}", quintet_suite::ending(status));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    fn commands() -> Commands {
        let text = |text: &str| Some(text.to_owned());
        Commands {
            restart_kafka: text("exit 3"),
            kill_with: text("test {service} = payment"),
            start_with: text("kill -9 $$ # {service}"),
            ..Commands::default()
        }
    }

    #[test]
    fn an_action_is_possible_if_there_is_a_command_for_it() {
        let possible: Vec<ActionKind> = commands().possible().collect();
        assert_eq!(possible, [ActionKind::Kafka, ActionKind::Kill]);
        assert_eq!(Commands::default().possible().count(), 0);
    }

    #[test]
    fn a_command_for_a_program_must_have_the_placeholder() {
        assert!(for_service("docker compose kill").unwrap_err().contains("{service}"));
        assert!(for_service("docker compose kill {service}").is_ok());
    }

    #[tokio::test]
    async fn the_program_is_filled_in_and_a_command_that_fails_is_named() {
        let commands = commands();
        commands.run(Verb::Kill, names::payment()).await.unwrap();
        let failed = commands.run(Verb::Kill, names::order()).await.unwrap_err().to_string();
        assert_eq!(failed, "`test order = payment` failed: exit code 1");
        let killed = commands.run(Verb::Start, names::order()).await.unwrap_err().to_string();
        assert!(killed.ends_with("failed: signal 9"), "{killed}");
        assert!(commands.restart_kafka().await.unwrap_err().to_string().contains("exit code 3"));
        assert!(commands.restart_postgres().await.is_err());
    }
}
