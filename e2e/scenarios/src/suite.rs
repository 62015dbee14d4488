use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use audit::Addresses;
use quintet_suite::{Component, Manifest, Replica};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::Db;
use tempfile::TempDir;
use testkit::{Broker, Ports};

use crate::{Backend, Options, Proxies, backend, launcher::Launcher, programs, waiting::until};

/// The services of the order saga, in the order of its manifest.
#[must_use]
pub fn services() -> Vec<&'static str> {
    let manifest = Manifest::built_in(&manifest()).expect("the manifest is valid");
    manifest.services().map(Component::name).collect()
}

/// The text of the order saga's manifest, without services that a team has added to it.
#[must_use]
pub fn manifest() -> String {
    testkit::only_services(include_str!("../../../suite.toml"), &audit::SERVICES)
}

/// The consumer group of scenarios that read the bus themselves.
pub const READER: &str = "reader";

/// How far the first port of a second suite is from that of this one, so that both have ports enough.
const SECOND_SUITE: u16 = 20;

/// A suite of real processes with a folder and ports of its own. It ends when this is dropped, and also when the test process
/// is killed.
#[derive(Debug)]
pub struct TestSuite {
    options: Options,
    namespace: String,
    folder: TempDir,
    ports: Ports,
    launcher: Mutex<Option<Launcher>>,
    broker: Option<Broker>,
    proxies: Option<Proxies>,
}

impl TestSuite {
    /// Starts a suite and returns when it is ready.
    #[must_use]
    pub fn start(mut options: Options) -> Self {
        let (backend, broker, proxies) = if options.behind_proxies {
            options.backend.open_behind_proxies()
        } else {
            let (backend, broker) = options.backend.open();
            (backend, broker, None)
        };
        options.backend = backend;
        let folder = tempfile::Builder::new().prefix("quintet-").tempdir();
        let suite = Self {
            namespace: options.backend.namespace(),
            folder: folder.expect("a temporary folder"),
            ports: Ports::free(),
            launcher: Mutex::new(None),
            broker,
            proxies,
            options,
        };
        suite.up();
        suite
    }

    /// Starts the launcher on the existing data. It must not be running.
    pub fn up(&self) {
        let mut command = self.quintet();
        command.args(["up", "--quiet", "--port", &self.ports.first().to_string()]);
        let default = self.path("suite.toml");
        fs::write(&default, manifest()).expect("the suite's folder is writable");
        command.arg("--suite").arg(self.options.manifest.as_ref().unwrap_or(&default));
        command.args(self.options.backend.arguments(&self.namespace));
        command.args(["--replicas", &self.options.replicas.to_string()]);
        command.envs(self.options.env.iter().map(|(name, value)| (name, value)));
        *self.launcher() = Some(Launcher::start(command, &self.path("up.log")));
    }

    /// Has the supervisor stop a program, and returns when its processes have ended.
    pub async fn stop_program(&self, program: &str) {
        self.command("stop", program).await;
    }

    /// Has the supervisor start a program, and returns when it is ready.
    pub async fn start_program(&self, program: &str) {
        self.command("start", program).await;
    }

    async fn command(&self, verb: &str, program: &str) {
        let mut command = tokio::process::Command::from(self.quintet());
        let output = command.args([verb, program]).output().await.expect("quintet can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "quintet {verb} {program}: {stderr}");
    }

    /// Kills these programs with SIGKILL, all at once. Returns when the supervisor has started other processes in their place.
    pub async fn kill(&self, programs: &[&str]) {
        let pids: Vec<u32> =
            programs.iter().map(|program| self.pid(program).expect("a running program")).collect();
        for &pid in &pids {
            signal(pid, Signal::KILL);
        }
        let restarted = async || {
            let mut killed = programs.iter().zip(&pids);
            killed
                .all(|(program, old)| self.pid(program).is_some_and(|pid| pid != *old))
                .then_some(())
        };
        until("the supervisor has restarted the killed programs", restarted).await;
    }

    /// The processes of a service.
    #[must_use]
    pub fn replicas(&self, service: &str) -> Vec<Replica> {
        let service = self.description().services.swap_remove(&Component::named(service));
        service.expect("up.json lists the service").replicas
    }

    /// Kills the launcher with SIGKILL. Returns its process id and those of the processes that it supervised.
    pub fn kill_launcher(&self) -> Vec<u32> {
        let mut pids = self.description().pids();
        if let Some(mut launcher) = self.launcher().take() {
            pids.push(launcher.pid());
            launcher.kill();
        }
        pids
    }

    /// The addresses of the suite, read from `up.json`.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Addresses::read(&self.path("up.json")).expect("the suite runs")
    }

    /// The description of the suite in `up.json`.
    #[must_use]
    pub fn description(&self) -> quintet_suite::Suite {
        serde_json::from_value(self.up_json()).expect("up.json describes a suite")
    }

    /// The content of `up.json`.
    #[must_use]
    pub fn up_json(&self) -> Value {
        let text = fs::read(self.path("up.json")).expect("the suite runs");
        serde_json::from_slice(&text).expect("up.json is JSON")
    }

    /// The text at this JSON Pointer of `up.json`.
    #[must_use]
    pub fn up_json_text(&self, pointer: &str) -> String {
        let up_json = self.up_json();
        let text = up_json.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("up.json has no text at {pointer}")).to_owned()
    }

    /// The process id of a program, if it runs.
    #[must_use]
    pub fn pid(&self, program: &str) -> Option<u32> {
        self.description().pid(Component::named(program).into())
    }

    /// The process ids of the services, in the order of the manifest.
    #[must_use]
    pub fn service_pids(&self) -> Vec<Option<u32>> {
        services().into_iter().map(|service| self.pid(service)).collect()
    }

    /// The suite's own broker. It has one on [`Backend::OwnBroker`].
    #[must_use]
    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("the suite has a broker of its own")
    }

    /// The proxies before its servers. It has them with [`Options::behind_proxies`].
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        self.proxies.as_ref().expect("the suite was started behind proxies")
    }

    /// Opens the suite's bus.
    pub async fn bus(&self) -> std::sync::Arc<dyn bus::Bus> {
        let (url, namespace) = (self.up_json_text("/bus/url"), self.namespace.clone());
        let settings = bus::Settings { url, namespace, ..bus::Settings::default() };
        bus::connect(&settings).await.expect("the bus opens")
    }

    /// Deletes all records of a topic at the broker, also those that no group has read.
    pub async fn delete_records(&self, topic: &str) {
        let Backend::Servers { brokers, .. } = &self.options.backend else {
            panic!("the log keeps records that a subscribed group has not read");
        };
        let states =
            self.bus().await.partitions(READER, &[topic]).await.expect("the topic is there");
        let partitions = i32::try_from(states.len()).expect("a few");
        let topic = format!("{}{topic}", self.namespace);
        backend::delete_records(brokers, &topic, partitions).await;
    }

    /// Opens a service's database.
    pub async fn database(&self, service: &str) -> Db {
        let url = self.up_json_text(&format!("/{service}/database"));
        Db::connect(&url, 1).await.expect("the database opens")
    }

    /// Connects to the PostgreSQL server of its databases as an administrator.
    pub async fn server(&self) -> Db {
        let Backend::Servers { postgres, .. } = &self.options.backend else {
            panic!("SQLite has no server");
        };
        let url = format!("{}/postgres", postgres.trim_end_matches('/'));
        Db::connect(&url, 1).await.expect("the server answers")
    }

    /// The value of an environment variable in its options.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        let variable = self.options.env.iter().find(|(known, _)| known == name);
        &variable.expect("a variable of this suite").1
    }

    /// Runs `quintet` with these arguments and `--json`. Returns its exit code, and the JSON of each line that it printed.
    pub async fn run_quintet(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        self.run_quintet_on(self.folder.path(), arguments).await
    }

    /// Runs `quintet` on another data directory.
    pub async fn run_quintet_on(
        &self,
        data: &Path,
        arguments: &[&str],
    ) -> (Option<i32>, Vec<Value>) {
        let mut command = tokio::process::Command::from(self.quintet_on(data));
        let output = command.args(arguments).output().await.expect("quintet can be started");
        let stdout = String::from_utf8(output.stdout).expect("text");
        let lines = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (output.status.code(), lines)
    }

    /// Runs `quintet audit`, which waits for rest at most for this time. Returns its exit code and its report.
    pub async fn audit(&self, wait: &str) -> (Option<i32>, Value) {
        let (code, mut lines) = self.run_quintet(&["audit", "--wait", wait]).await;
        (code, lines.pop().expect("a report"))
    }

    /// The first port of a second suite beside this one.
    #[must_use]
    pub fn second_port(&self) -> String {
        (self.ports.first() + SECOND_SUITE).to_string()
    }

    /// The arguments of `quintet up` for a second suite on the same backend.
    #[must_use]
    pub fn second_backend(&self) -> Vec<String> {
        self.options.backend.arguments(&format!("{}b_", self.namespace))
    }

    /// A command line of `quintet` with this suite's data directory and `--json`.
    #[must_use]
    pub fn quintet(&self) -> Command {
        self.quintet_on(self.folder.path())
    }

    /// The data directory, which also has `up.json`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn quintet_on(&self, data: &Path) -> Command {
        let with_crash_points = self.options.crash_points;
        let quintet =
            if with_crash_points { programs::with_crash_points() } else { programs::quintet() };
        let mut command = Command::new(quintet);
        // The manifest has paths relative to the root of the checkout, and `bench` takes no other manifest.
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        command.arg("--data").arg(data).arg("--json");
        command
    }

    /// The log of a program.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        let path = self.path(&format!("logs/{program}.log"));
        fs::read_to_string(path).expect("the supervisor writes it")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }

    fn launcher(&self) -> MutexGuard<'_, Option<Launcher>> {
        self.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process exists");
}

impl Drop for TestSuite {
    fn drop(&mut self) {
        // Programs that cannot reach their servers would take long to stop.
        if let Some(proxies) = &self.proxies {
            proxies.kafka.heal();
            proxies.postgres.heal();
        }
        drop(self.launcher().take());
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the suite's data and logs are kept in {}", self.folder.path().display());
        }
        self.options.backend.clean_up(&self.namespace);
    }
}
