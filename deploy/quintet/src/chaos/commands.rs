//! Deeds that only the user knows how to do: their commands, run by the shell.

use super::act::Kind;
use anyhow::{Context, Result, bail};
use clap::Args;
use quintet_suite::Component;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// A server that recovers may take its time.
const TIME_OUT: Duration = Duration::from_mins(2);
/// What a program's name stands for in a command.
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
    /// Starts it again, as in 'docker compose start {service}'; also one that runs
    #[arg(long, value_name = "CMD", requires = "kill_with", value_parser = for_service)]
    start_with: Option<String>,
    /// Has it stand still, as in 'docker compose pause {service}'
    #[arg(long, value_name = "CMD", requires = "resume_with", value_parser = for_service)]
    pause_with: Option<String>,
    /// Has it go on, as in 'docker compose unpause {service}'
    #[arg(long, value_name = "CMD", requires = "pause_with", value_parser = for_service)]
    resume_with: Option<String>,
    /// Restarts it in order, as in 'docker compose restart {service}'
    #[arg(long, value_name = "CMD", value_parser = for_service)]
    restart_with: Option<String>,
}

/// What a program's state is changed to.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    Killed,
    Started,
    Paused,
    Resumed,
    Restarted,
}

impl Commands {
    /// What can be done by them.
    pub(super) fn reach(&self) -> impl Iterator<Item = Kind> {
        let all = [
            (Kind::Kafka, &self.restart_kafka),
            (Kind::Postgres, &self.restart_postgres),
            (Kind::Kill, &self.kill_with),
            (Kind::Pause, &self.pause_with),
            (Kind::Restart, &self.restart_with),
        ];
        all.into_iter().filter_map(|(kind, command)| command.as_ref().map(|_| kind))
    }

    /// Whether the user says how this is done to a program.
    pub(super) const fn know(&self, to: To) -> bool {
        self.of(to).is_some()
    }

    /// Does this to a program.
    ///
    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn bring(&self, program: Component, to: To) -> Result<()> {
        let command = self.of(to).context("no command does it")?;
        run(&command.replace(SERVICE, program.name())).await
    }

    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn restart_kafka(&self) -> Result<()> {
        run(self.restart_kafka.as_ref().context("no command does it")?).await
    }

    /// # Errors
    /// When there is no such command, or it fails.
    pub(super) async fn restart_postgres(&self) -> Result<()> {
        run(self.restart_postgres.as_ref().context("no command does it")?).await
    }

    const fn of(&self, to: To) -> Option<&String> {
        match to {
            To::Killed => self.kill_with.as_ref(),
            To::Started => self.start_with.as_ref(),
            To::Paused => self.pause_with.as_ref(),
            To::Resumed => self.resume_with.as_ref(),
            To::Restarted => self.restart_with.as_ref(),
        }
    }
}

fn for_service(text: &str) -> Result<String, String> {
    if text.contains(SERVICE) {
        Ok(text.to_owned())
    } else {
        Err(format!("write {SERVICE} where the program's name belongs"))
    }
}

/// Its output is nobody's: a server that it leaves behind would keep a pipe open.
async fn run(command: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ran = timeout(TIME_OUT, shell.status()).await;
    let ran = ran.with_context(|| format!("`{command}` takes more than two minutes"))?;
    let status = ran.with_context(|| format!("`{command}` cannot be run"))?;
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
    fn what_can_be_done_is_what_there_is_a_command_for() {
        let reach: Vec<Kind> = commands().reach().collect();
        assert_eq!(reach, [Kind::Kafka, Kind::Kill]);
        assert_eq!(Commands::default().reach().count(), 0);
    }

    #[test]
    fn a_command_for_a_program_must_name_it() {
        assert!(for_service("docker compose kill").unwrap_err().contains("{service}"));
        assert!(for_service("docker compose kill {service}").is_ok());
    }

    #[tokio::test]
    async fn a_command_is_run_for_its_program_and_one_that_fails_is_named() {
        let commands = commands();
        commands.bring(names::payment(), To::Killed).await.unwrap();
        let wrong = commands.bring(names::order(), To::Killed).await.unwrap_err().to_string();
        assert_eq!(wrong, "`test order = payment` failed: exit code 1");
        let killed = commands.bring(names::order(), To::Started).await.unwrap_err().to_string();
        assert!(killed.ends_with("failed: signal 9"), "{killed}");
        assert!(commands.restart_kafka().await.unwrap_err().to_string().contains("exit code 3"));
        assert!(commands.restart_postgres().await.is_err());
    }
}
