//! `quintet up` as a child of the test.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running launcher. Its leash is a pipe from this process, so that it ends with the test,
/// however that ends.
#[derive(Debug)]
pub(crate) struct Launcher {
    child: Child,
    leash: Option<ChildStdin>,
    _stdout: BufReader<ChildStdout>,
}

impl Launcher {
    /// Starts it and returns when the suite is ready.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let said = File::options().create(true).append(true).open(log).expect("a log file");
        command.env("QUINTET_LEASH", "stdin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().expect("quintet runs");
        let leash = child.stdin.take();
        let stdout = child.stdout.take().expect("its output is a pipe");
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        // It prints the suite as one line once all is ready, or ends.
        let read = stdout.read_line(&mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            let _ = child.kill();
            let _ = child.wait();
            let said = fs::read_to_string(log).unwrap_or_default();
            panic!("the suite does not get ready:\n{said}");
        }
        Self { child, leash, _stdout: stdout }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // It stops the suite in order.
        drop(self.leash.take());
        let _ = self.child.wait();
    }
}
