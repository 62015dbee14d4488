//! A fake suite for the command: shell scripts stand in for the processes, and an HTTP server in the test's own process
//! answers on all their ports.

mod bus;
mod dead_letters;
mod server;

pub use bus::FakeEvent;
pub use server::{FakeState, order_id};

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub const PROGRAMS: [&str; 6] =
    ["order", "inventory", "payment", "shipping", "notification", "sandbox"];
/// The listeners: each is a program, by its index in [`PROGRAMS`], and the offset of its port. The admin ports begin at 100.
const LISTENERS: [(usize, u16); 11] = [
    (0, 0),
    (1, 1),
    (2, 2),
    (3, 3),
    (4, 4),
    (5, 10),
    (0, 100),
    (1, 101),
    (2, 102),
    (3, 103),
    (4, 104),
];

/// Writes its environment and its process id into files, and prints that it runs. It exits with a code if there is a file
/// with one, otherwise on SIGTERM or when its stdin closes.
const SCRIPT: &str = r#"#!/bin/sh
name=${0##*/quintet-}
env > "$FAKES/$name.env"
echo "$name runs on ${QUINTET_ORDER__LISTEN-}"
code=$(cat "$FAKES/$name.exit" 2>/dev/null) && { echo "the data is wrong"; exit "$code"; }
trap 'exit 0' TERM
exec 3<&0
cat <&3 >/dev/null &
echo $$ >> "$FAKES/$name.pids"
wait
"#;

/// The manifest of the order saga, changed so that each program is a script.
fn manifest() -> String {
    let manifest = testkit::only_services(include_str!("../../../../../suite.toml"), &PROGRAMS);
    PROGRAMS.iter().fold(manifest, |text, program| {
        let name = format!("\nname = \"{program}\"\n");
        text.replace(&name, &format!("{name}start = [\"bin/quintet-{program}\"]\n"))
    })
}

/// A folder with the executables and a data directory, and a range of ports.
pub struct FakeSuite {
    pub temp: tempfile::TempDir,
    /// The first port.
    pub port: u16,
    pub state: Arc<Mutex<FakeState>>,
    servers: Mutex<JoinSet<()>>,
}

/// A `quintet up` that is killed when the test ends.
pub struct Up {
    pub child: Child,
    stderr: PathBuf,
    stdout: PathBuf,
}

impl FakeSuite {
    pub fn new() -> Self {
        let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bin = temp.path().join("bin");
        fs::create_dir(&bin).unwrap();
        // A hard link, because `quintet` resolves a symbolic one and would find the checkout that it was built in.
        fs::hard_link(env!("CARGO_BIN_EXE_quintet"), bin.join("quintet")).unwrap();
        for program in PROGRAMS {
            let path = bin.join(format!("quintet-{program}"));
            fs::write(&path, SCRIPT).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(temp.path().join("suite.toml"), manifest()).unwrap();
        Self { temp, port: free_ports(), state: Arc::default(), servers: Mutex::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    /// A command line of `quintet` for the suite's data directory, to be run in the folder that contains it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.temp.path().join("bin/quintet"));
        // A relative path, because messages repeat the path as it was given.
        command.args(arguments).args(["--data", "data"]).current_dir(self.temp.path());
        command.env("FAKES", self.temp.path()).stdin(Stdio::null());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::from(self.command(arguments)).output().await.unwrap()
    }

    /// Starts `quintet up`, which ends when its stdin closes.
    pub fn up(&self, arguments: &[&str]) -> Up {
        self.up_with(arguments, &[])
    }

    /// Starts `quintet up` with these environment variables.
    pub fn up_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Up {
        let stdout = self.temp.path().join("stdout");
        let stderr = self.temp.path().join("stderr");
        let port = self.port.to_string();
        let mut command = self.command(&["up", "--suite", "suite.toml", "--port", &port]);
        let child = command
            .args(arguments)
            .envs(variables.iter().copied())
            .env("QUINTET_LEASH", "stdin")
            .stdin(Stdio::piped())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Up { child, stderr, stdout }
    }

    /// Serves all ports from now on. Call it once the processes run, because `up` refuses taken ports.
    pub async fn serve(&self) {
        for (program, offset) in LISTENERS {
            let address = ("127.0.0.1", self.port + offset);
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let router = server::router(PROGRAMS[program], Arc::clone(&self.state));
            let server = async move { axum::serve(listener, router).await.unwrap() };
            self.servers.lock().unwrap().spawn(server);
        }
    }

    /// Closes all ports.
    pub async fn stop_serving(&self) {
        let mut servers = std::mem::take(&mut *self.servers.lock().unwrap());
        servers.shutdown().await;
    }

    /// Starts `quintet up --demo` and waits until it is ready.
    pub async fn running(&self) -> Up {
        let up = self.up(&["--demo", "--json", "--quiet"]);
        self.until_all_ran(1).await;
        self.serve().await;
        until("up is ready", || up.stdout().ends_with('\n')).await;
        up
    }

    /// Waits until every program has been started this many times.
    pub async fn until_all_ran(&self, times: usize) {
        until("all processes run", || {
            PROGRAMS.iter().all(|program| self.pids(program).len() >= times)
        })
        .await;
    }

    /// The ids of all processes of a program so far, the first one first.
    pub fn pids(&self, program: &str) -> Vec<u32> {
        let file = self.temp.path().join(format!("{program}.pids"));
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub fn up_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data().join("up.json")).unwrap()).unwrap()
    }

    /// Lets a program exit with this code as soon as it starts, from its next start on.
    pub fn let_exit(&self, program: &str, code: i32) {
        fs::write(self.temp.path().join(format!("{program}.exit")), code.to_string()).unwrap();
    }
}

impl Up {
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until it has ended, and returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < give_up, "up does not end; its stderr:\n{}", self.stderr());
            tokio::task::yield_now().await;
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits at most a minute for a condition, which `description` names.
pub async fn until(description: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < give_up, "waited a minute in vain until {description}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process runs. A zombie does not.
pub fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub fn kill_9(pid: u32) {
    let command = format!("kill -9 {pid}");
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn free_ports() -> u16 {
    /// Below the range of ports that the system assigns by itself.
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let first = NEXT.fetch_add(200, Ordering::Relaxed);
        assert!(first < 32_000, "no range of 105 ports is free");
        let is_free = |offset| std::net::TcpListener::bind(("127.0.0.1", first + offset)).is_ok();
        if (0..=104).all(is_free) {
            return first;
        }
    }
}

/// The names of the entries of a folder.
pub fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
