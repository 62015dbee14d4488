//! One process: how it is launched, ended and looked at.

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

/// How much of a log is shown when its program did not get ready.
const TAIL_LINES: usize = 15;
const TAIL_BYTES: i64 = 8 << 10;
/// How often a process that takes on its program is looked at again.
const LOOKS: usize = 10_000;
/// Six programs and more share this machine: with one thread for each core in each of them, they would
/// mostly wake one another. Whoever sets it has the last word.
const THREADS: (&str, &str) = ("TOKIO_WORKER_THREADS", "1");

/// What it takes to start a program.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The suite's name.
    pub(crate) suite: &'static str,
    pub(crate) member: Member,
    pub(crate) start: Start,
    pub(crate) variables: Vec<Variable>,
    pub(crate) log: PathBuf,
    /// The log's name as the user would write it.
    pub(crate) shown_log: PathBuf,
}

/// A process that runs, and the leash that ends it when we die: its stdin, held open.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    /// Kept apart from the child, because waiting for a child closes its stdin.
    pub(crate) leash: Option<ChildStdin>,
}

impl Launch {
    /// Starts the program in a process group of its own, so that a Ctrl-C on the terminal reaches
    /// the launcher alone.
    ///
    /// # Errors
    /// When the log cannot be opened or the executable not be run.
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
            .envs(self.variables.iter().map(|it| (&it.name, &it.value)))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let leash = child.stdin.take();
        Ok(Process { child, leash })
    }
}

/// Asks a process group to end, and kills it after `grace` or when `hurry` turns true.
///
/// # Errors
/// When the system cannot tell how the process ended.
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

/// Sends a process group a signal. It may have ended by itself in between, which is as good.
///
/// # Errors
/// When the system refuses.
pub fn signal(group: Pid, signal: Signal) -> io::Result<()> {
    match kill_process_group(group, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether one of our programs runs under this id. A zombie does not run: its parent has yet to wait for it. Another
/// program, to which the system has given the id since, is not ours.
#[must_use]
pub fn alive(pid: u32) -> bool {
    let exists = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    if !Path::new("/proc/self/environ").exists() {
        return exists;
    }
    exists && (0..LOOKS).find_map(|_| looked_at(pid)).unwrap_or(false)
}

/// Whether the process is one of ours; nothing while the system cannot tell. A process that is about to execute its
/// program has that program, but neither arguments nor an environment yet. A zombie has none of the three.
fn looked_at(pid: u32) -> Option<bool> {
    let of = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (arguments, is_ours) = (of("cmdline"), is_leashed(&of("environ")));
    if !is_ours && arguments.is_empty() && fs::read_link(format!("/proc/{pid}/exe")).is_ok() {
        std::thread::yield_now();
        return None;
    }
    Some(is_ours)
}

/// Whether it was started by a launcher, whatever it is called. Variables are separated by zeros.
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

    async fn until_log_says(log: &Path, text: &str) {
        let says = async {
            while !fs::read_to_string(log).is_ok_and(|log| log.contains(text)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), says).await.unwrap();
    }

    #[tokio::test]
    async fn both_outputs_are_appended_to_the_log_and_variables_arrive() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "echo out $GREETING; echo err >&2; exit 64");
        fs::write(&launch.log, "before\n").unwrap();
        let status = launch.spawn().unwrap().child.wait().await.unwrap();
        assert_eq!(ending(status), "exit code 64");
        assert_eq!(fs::read_to_string(&launch.log).unwrap(), "before\nout hello\nerr\n");
        assert_eq!(tail(&launch.log), "before\nout hello\nerr");
    }

    #[tokio::test]
    async fn a_process_lives_from_the_moment_that_it_is_spawned() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "read -r line");
        for _ in 0..50 {
            let mut process = launch.spawn().unwrap();
            assert!(alive(process.child.id().unwrap()));
            process.child.kill().await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_ignores_the_request_to_end_is_killed_after_the_grace() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "trap '' TERM; echo deaf; while :; do sleep 1; done");
        let mut process = launch.spawn().unwrap();
        until_log_says(&launch.log, "deaf").await;
        let (_keep, mut hurry) = watch::channel(false);
        let ended = terminate(&mut process.child, Duration::from_millis(50), &mut hurry).await;
        assert_eq!(ending(ended.unwrap()), "signal 9");
    }

    #[tokio::test]
    async fn hurry_cuts_the_grace_short() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "trap '' TERM; echo deaf; while :; do sleep 1; done");
        let mut process = launch.spawn().unwrap();
        until_log_says(&launch.log, "deaf").await;
        let (sender, mut hurry) = watch::channel(false);
        sender.send_replace(true);
        let ended = terminate(&mut process.child, Duration::from_hours(1), &mut hurry);
        let ended = timeout(Duration::from_secs(20), ended).await.unwrap();
        assert_eq!(ending(ended.unwrap()), "signal 9");
    }

    #[tokio::test]
    async fn a_process_lives_while_its_leash_is_held_and_is_dead_before_it_is_collected() {
        let temp = tempfile::tempdir().unwrap();
        let launch = shell(temp.path(), "read -r line; exit 7");
        let Process { mut child, leash } = launch.spawn().unwrap();
        let waited = timeout(Duration::from_millis(50), child.wait()).await;
        assert!(waited.is_err(), "it ended with its leash held: {waited:?}");
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
