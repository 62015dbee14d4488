//! `quintet up` as a child process of the test.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running launcher. It ends when its standard input closes, which happens even if the test process is killed.
#[derive(Debug)]
pub(crate) struct Launcher {
    child: Child,
    /// The launcher's standard input.
    leash: Option<ChildStdin>,
    /// Kept open: the launcher would fail when it writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Launcher {
    /// Starts the launcher and returns when the suite is ready.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let stderr = File::options().create(true).append(true).open(log).expect("a log file");
        command.env("QUINTET_LEASH", "stdin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("quintet can be started");
        let leash = child.stdin.take();
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        // With --json it prints one line when the suite is ready. If it fails, its output ends without a line.
        let read = stdout.read_line(&mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            let _ = child.kill();
            let _ = child.wait();
            let log = fs::read_to_string(log).unwrap_or_default();
            panic!("the suite does not get ready; the launcher's log:\n{log}");
        }
        Self { child, leash, _stdout: stdout }
    }

    /// The launcher's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the launcher with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // The launcher then stops the suite gracefully.
        drop(self.leash.take());
        let _ = self.child.wait();
    }
}
