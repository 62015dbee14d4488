//! Launches, ends and inspects a process.

use crate::component::Member;
use crate::environment::{self, LEASH, Variable};
use crate::manifest::Start;
use crate::private;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// The most lines of a log that are shown when its process did not get ready.
const TAIL_LINES: usize = 15;
/// The most bytes of a log that are read for these lines.
const TAIL_BYTES: i64 = 8 << 10;
/// How often a process between fork and exec is inspected again before it counts as dead.
const INSPECTIONS: usize = 10_000;
/// The number of worker threads of a service, unless the user sets this variable. Half a dozen programs share this machine.
/// With a thread for each core, each of them would mostly wake its own threads.
const THREADS: (&str, &str) = ("TOKIO_WORKER_THREADS", "1");

/// Everything that is needed to start a process.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The name of the suite.
    pub(crate) suite: &'static str,
    pub(crate) member: Member,
    pub(crate) start: Start,
    pub(crate) variables: Vec<Variable>,
    pub(crate) log: PathBuf,
    /// The path of the log as the user would write it.
    pub(crate) shown_log: PathBuf,
}

/// A process that runs, and its leash: a pipe to its standard input. The process ends when the pipe closes, which also
/// happens if the launcher is killed.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    /// It is taken out of the child, because waiting for a child closes its standard input.
    pub(crate) leash: Option<ChildStdin>,
}

impl Launch {
    /// Starts the process in a process group of its own, so that Ctrl-C on the terminal reaches the launcher alone, which
    /// stops the processes in order.
    ///
    /// # Errors
    /// If the log cannot be opened, or the executable cannot be run.
    pub(crate) fn spawn(&self) -> io::Result<Process> {
        let log = private::file().append(true).create(true).open(&self.log)?;
        let threads = env::var_os(THREADS.0).unwrap_or_else(|| THREADS.1.into());
        let mut command = Command::new(&self.start.program);
        command.arg0(&self.start.called).args(&self.start.arguments);
        for name in environment::of_others(self.suite, self.member.component) {
            command.env_remove(name);
        }
        let mut child = command
            .env(THREADS.0, threads)
            .envs(self.variables.iter().map(|variable| (&variable.name, &variable.value)))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let leash = child.stdin.take();
        Ok(Process { child, leash })
    }
}

/// Sends SIGTERM to a process group, and SIGKILL after `grace` or when `hurry` turns true. Waits until the process has
/// ended.
///
/// # Errors
/// If the system does not report how the process ended.
pub(crate) async fn terminate(
    child: &mut Child,
    grace: Duration,
    hurry: &mut watch::Receiver<bool>,
) -> io::Result<ExitStatus> {
    let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let Some(group) = group else {
        return child.wait().await;
    };
    signal(group, Signal::TERM)?;
    let hurried = async {
        if hurry.wait_for(|hurry| *hurry).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = timeout(grace, child.wait()) => if let Ok(status) = ended { return status },
        () = hurried => {}
    }
    signal(group, Signal::KILL)?;
    child.wait().await
}

/// Sends a signal to a process group. It is no error if the group has ended already.
///
/// # Errors
/// If the system refuses.
pub fn signal(group: Pid, signal: Signal) -> io::Result<()> {
    match kill_process_group(group, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a process that a launcher has started runs under this id. A zombie, which has ended and is not collected yet,
/// does not run. Another program, to which the system has given the id since, does not count.
#[must_use]
pub fn alive(pid: u32) -> bool {
    let exists = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    if !Path::new("/proc/self/environ").exists() {
        return exists;
    }
    exists && (0..INSPECTIONS).find_map(|_| has_a_launcher(pid)).unwrap_or(false)
}

/// Whether the process was started by a launcher; `None` while the system cannot tell. A process that is just executing its
/// program has an executable, but neither arguments nor an environment yet. A zombie has none of the three.
fn has_a_launcher(pid: u32) -> Option<bool> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (arguments, leashed) = (read("cmdline"), is_leashed(&read("environ")));
    if !leashed && arguments.is_empty() && fs::read_link(format!("/proc/{pid}/exe")).is_ok() {
        std::thread::yield_now();
        return None;
    }
    Some(leashed)
}

/// Whether this environment, in which variables are separated by zeros, is that of a process with a launcher.
fn is_leashed(environment: &[u8]) -> bool {
    let leash = format!("{LEASH}=");
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(leash.as_bytes()))
}

/// How a process ended, in words.
#[must_use]
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
        }
        Err(error) => format!("(cannot be read: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;

    fn shell(temp: &Path, script: &str) -> Launch {
        use std::os::unix::fs::PermissionsExt;
        let program = temp.join("fake");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Launch {
            suite: "trip",
            member: Component::named("booking").into(),
            start: Start { called: "a-fake".to_owned(), program, arguments: Vec::new() },
            variables: [("GREETING", "hello"), (LEASH, "stdin")]
                .map(|(name, value)| Variable { name: name.to_owned(), value: value.to_owned() })
                .into(),
            log: temp.join("log"),
            shown_log: temp.join("log"),
        }
    }

    async fn until_log_contains(log: &Path, text: &str) {
        let contains = async {
            while !fs::read_to_string(log).is_ok_and(|log| log.contains(text)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), contains).await.unwrap();
    }

    #[tokio::test]
    async fn stdout_and_stderr_are_appended_to_the_log_and_variables_are_set() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "echo out $GREETING; echo err >&2; exit 64");
        fs::write(&launch.log, "before\n").unwrap();
        let status = launch.spawn().unwrap().child.wait().await.unwrap();
        assert_eq!(ending(status), "exit code 64");
        assert_eq!(fs::read_to_string(&launch.log).unwrap(), "before\nout hello\nerr\n");
        assert_eq!(tail(&launch.log), "before\nout hello\nerr");
    }

    #[tokio::test]
    async fn a_process_counts_as_alive_as_soon_as_it_is_spawned() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "read -r line");
        for _ in 0..50 {
            let mut process = launch.spawn().unwrap();
            assert!(alive(process.child.id().unwrap()));
            process.child.kill().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed_after_the_grace() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "trap '' TERM; echo deaf; while :; do sleep 1; done");
        let mut process = launch.spawn().unwrap();
        until_log_contains(&launch.log, "deaf").await;
        let (_sender, mut hurry) = watch::channel(false);
        let ended = terminate(&mut process.child, Duration::from_millis(50), &mut hurry).await;
        assert_eq!(ending(ended.unwrap()), "signal 9");
    }

    #[tokio::test]
    async fn hurry_cuts_the_grace_short() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "trap '' TERM; echo deaf; while :; do sleep 1; done");
        let mut process = launch.spawn().unwrap();
        until_log_contains(&launch.log, "deaf").await;
        let (sender, mut hurry) = watch::channel(false);
        sender.send_replace(true);
        let ended = terminate(&mut process.child, Duration::from_hours(1), &mut hurry);
        let ended = timeout(Duration::from_secs(20), ended).await.unwrap();
        assert_eq!(ending(ended.unwrap()), "signal 9");
    }

    #[tokio::test]
    async fn a_process_lives_while_its_leash_is_held_and_a_zombie_counts_as_dead() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "read -r line; exit 7");
        let Process { mut child, leash } = launch.spawn().unwrap();
        let waited = timeout(Duration::from_millis(50), child.wait()).await;
        assert!(waited.is_err(), "it ended while its leash was held: {waited:?}");
        let pid = child.id().unwrap();
        assert!(alive(pid));
        drop(leash);
        let gone = async {
            while alive(pid) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
    }
}
