//! A suite of stand-ins: shell scripts for the processes, and one HTTP server of the test's own
//! behind all their ports.

mod dead_letters;
mod world;

pub use world::{World, order_id};

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
const OFFSETS: [(usize, u16); 11] = [
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

/// Says that it runs, ends with a code if a file says so, and else lives until it is told to end
/// or its stdin closes.
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

/// The usual suite, of which each program is a script.
fn manifest() -> String {
    let usual = testkit::only_services(include_str!("../../../../../suite.toml"), &PROGRAMS);
    PROGRAMS.iter().fold(usual, |text, program| {
        let name = format!("\nname = \"{program}\"\n");
        text.replace(&name, &format!("{name}start = [\"bin/quintet-{program}\"]\n"))
    })
}

/// A folder with the executables, a data directory and a stretch of ports.
pub struct Suite {
    pub temp: tempfile::TempDir,
    pub port: u16,
    pub world: Arc<Mutex<World>>,
    servers: Mutex<JoinSet<()>>,
}

/// A `quintet up` that ends with the test.
pub struct Up {
    pub child: Child,
    stderr: PathBuf,
    stdout: PathBuf,
}

impl Suite {
    pub fn new() -> Self {
        let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bin = temp.path().join("bin");
        fs::create_dir(&bin).unwrap();
        // Not a symbolic link: `quintet` looks where it really lies, and must find no checkout.
        fs::hard_link(env!("CARGO_BIN_EXE_quintet"), bin.join("quintet")).unwrap();
        for program in PROGRAMS {
            let path = bin.join(format!("quintet-{program}"));
            fs::write(&path, SCRIPT).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(temp.path().join("suite.toml"), manifest()).unwrap();
        Self { temp, port: free_ports(), world: Arc::default(), servers: Mutex::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    /// `quintet` with the suite's data directory, from the folder that holds it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.temp.path().join("bin/quintet"));
        // A short name, as a person writes it: messages repeat it.
        command.args(arguments).args(["--data", "data"]).current_dir(self.temp.path());
        command.env("FAKES", self.temp.path()).stdin(Stdio::null());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::from(self.command(arguments)).output().await.unwrap()
    }

    /// Starts `quintet up` on a leash.
    pub fn up(&self, arguments: &[&str]) -> Up {
        self.up_with(arguments, &[])
    }

    /// The same with these variables.
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

    /// Serves all ports from now on; to be called once the processes run.
    pub async fn serve(&self) {
        for (program, offset) in OFFSETS {
            let address = ("127.0.0.1", self.port + offset);
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let router = world::router(PROGRAMS[program], Arc::clone(&self.world));
            let server = async move { axum::serve(listener, router).await.unwrap() };
            self.servers.lock().unwrap().spawn(server);
        }
    }

    /// Lets go of all ports.
    pub async fn stop_serving(&self) {
        let mut servers = std::mem::take(&mut *self.servers.lock().unwrap());
        servers.shutdown().await;
    }

    /// `quintet up --demo` that has got ready.
    pub async fn running(&self) -> Up {
        let up = self.up(&["--demo", "--json", "--quiet"]);
        self.until_all_ran(1).await;
        self.serve().await;
        until("up is ready", || up.stdout().ends_with('\n')).await;
        up
    }

    /// Waits until every program has been started so often.
    pub async fn until_all_ran(&self, times: usize) {
        until("all processes run", || {
            PROGRAMS.iter().all(|program| self.pids(program).len() >= times)
        })
        .await;
    }

    /// The ids of all processes that a program had.
    pub fn pids(&self, program: &str) -> Vec<u32> {
        let file = self.temp.path().join(format!("{program}.pids"));
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub fn up_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data().join("up.json")).unwrap()).unwrap()
    }

    /// From its next start on a program ends at once with this code.
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

    /// Waits for its end; tells the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < give_up, "up does not end; it said:\n{}", self.stderr());
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

pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process runs; a zombie does not.
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
    /// Below the range from which the system hands out ports.
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let first = NEXT.fetch_add(200, Ordering::Relaxed);
        assert!(first < 32_000, "no stretch of ports is free");
        let free = |offset| std::net::TcpListener::bind(("127.0.0.1", first + offset)).is_ok();
        if (0..=104).all(free) {
            return first;
        }
    }
}

/// What a folder holds.
pub fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
