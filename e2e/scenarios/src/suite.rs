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

use crate::{Backend, Options, Ways, backend, launcher::Launcher, programs, waiting::until};

/// The services of the order saga, as its manifest lists them.
#[must_use]
pub fn services() -> Vec<&'static str> {
    let manifest = Manifest::built_in(&manifest()).expect("the manifest");
    manifest.services().map(Component::name).collect()
}

/// The text of the usual manifest, without services that a team has added to it.
#[must_use]
pub fn manifest() -> String {
    testkit::only_services(include_str!("../../../suite.toml"), &audit::SERVICES)
}

/// The consumer group of scenarios that read the bus themselves.
pub const READER: &str = "reader";

/// From this suite's first port to that of another beside it: between them, none is used twice.
const BESIDE: u16 = 20;

/// A suite of real processes with a folder and ports of its own. It ends when this is dropped, and
/// also when the test process ends without that.
#[derive(Debug)]
pub struct Suite {
    options: Options,
    namespace: String,
    folder: TempDir,
    ports: Ports,
    launcher: Mutex<Option<Launcher>>,
    broker: Option<Broker>,
    ways: Option<Ways>,
}

impl Suite {
    /// Starts one and returns when it is ready.
    #[must_use]
    pub fn start(mut options: Options) -> Self {
        let (backend, broker, ways) = if options.behind_ways {
            options.backend.open_behind_ways()
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
            ways,
            options,
        };
        suite.up();
        suite
    }

    /// Starts the launcher, which must not run, on the data there is.
    pub fn up(&self) {
        let mut command = self.quintet();
        command.args(["up", "--quiet", "--port", &self.ports.first().to_string()]);
        let usual = self.path("suite.toml");
        fs::write(&usual, manifest()).expect("it is written");
        command.arg("--suite").arg(self.options.manifest.as_ref().unwrap_or(&usual));
        command.args(self.options.backend.arguments(&self.namespace));
        command.args(["--replicas", &self.options.replicas.to_string()]);
        command.envs(self.options.env.iter().map(|(name, value)| (name, value)));
        *self.launcher() = Some(Launcher::start(command, &self.path("up.log")));
    }

    /// Has the supervisor stop this program, and returns when it is gone.
    pub async fn stop(&self, program: &str) {
        self.command("stop", program).await;
    }

    /// Has the supervisor start this program, and returns when it is ready.
    pub async fn begin(&self, program: &str) {
        self.command("start", program).await;
    }

    async fn command(&self, verb: &str, program: &str) {
        let mut command = tokio::process::Command::from(self.quintet());
        let ran = command.args([verb, program]).output().await.expect("quintet runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "quintet {verb} {program}: {said}");
    }

    /// `kill -9` of these programs, all at once; the supervisor starts them again. Returns when
    /// other processes run in their place.
    pub async fn kill(&self, programs: &[&str]) {
        let pids: Vec<u32> =
            programs.iter().map(|program| self.pid(program).expect("it runs")).collect();
        for &pid in &pids {
            signal(pid, Signal::KILL);
        }
        let again = async || {
            let mut killed = programs.iter().zip(&pids);
            killed
                .all(|(program, old)| self.pid(program).is_some_and(|pid| pid != *old))
                .then_some(())
        };
        until("the supervisor starts what was killed", again).await;
    }

    /// The processes of a service.
    #[must_use]
    pub fn replicas(&self, service: &str) -> Vec<Replica> {
        let service = self.described().services.swap_remove(&Component::named(service));
        service.expect("up.json lists the service").replicas
    }

    /// `kill -9` of the launcher. Returns the process ids of what it kept.
    pub fn kill_launcher(&self) -> Vec<u32> {
        let mut pids = self.described().pids();
        if let Some(mut launcher) = self.launcher().take() {
            pids.push(launcher.pid());
            launcher.kill();
        }
        pids
    }

    /// Where the suite answers, as `up.json` says.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Addresses::read(&self.path("up.json")).expect("the suite runs")
    }

    /// What `up.json` says.
    #[must_use]
    pub fn described(&self) -> quintet_suite::Suite {
        serde_json::from_value(self.file()).expect("up.json describes a suite")
    }

    /// The same as it is written.
    #[must_use]
    pub fn file(&self) -> Value {
        let text = fs::read(self.path("up.json")).expect("the suite runs");
        serde_json::from_slice(&text).expect("up.json is JSON")
    }

    /// The text at this JSON Pointer of `up.json`.
    #[must_use]
    pub fn says(&self, pointer: &str) -> String {
        let file = self.file();
        let text = file.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("up.json says nothing at {pointer}")).to_owned()
    }

    /// The process id of a program that runs.
    #[must_use]
    pub fn pid(&self, program: &str) -> Option<u32> {
        self.described().pid(Component::named(program).into())
    }

    /// The process ids of the services, in the order of the manifest.
    #[must_use]
    pub fn service_pids(&self) -> Vec<Option<u32>> {
        services().into_iter().map(|service| self.pid(service)).collect()
    }

    /// The suite's own broker, of [`Backend::OwnBroker`].
    #[must_use]
    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("the suite has a broker of its own")
    }

    /// The ways to its servers, of [`Options::behind_ways`].
    #[must_use]
    pub fn ways(&self) -> &Ways {
        self.ways.as_ref().expect("the suite has ways that can be cut")
    }

    /// The suite's bus, as an operator's tool would open it.
    pub async fn bus(&self) -> std::sync::Arc<dyn bus::Bus> {
        let (url, namespace) = (self.says("/bus/url"), self.namespace.clone());
        let settings = bus::Settings { url, namespace, ..bus::Settings::default() };
        bus::connect(&settings).await.expect("the bus opens")
    }

    /// Deletes all records of a topic at the broker, read or not.
    pub async fn delete_records(&self, topic: &str) {
        let Backend::Servers { brokers, .. } = &self.options.backend else {
            panic!("the log keeps what a group has not read");
        };
        let states =
            self.bus().await.partitions(READER, &[topic]).await.expect("the topic is there");
        let partitions = i32::try_from(states.len()).expect("a few");
        let topic = format!("{}{topic}", self.namespace);
        backend::delete_records(brokers, &topic, partitions).await;
    }

    /// A service's database.
    pub async fn database(&self, service: &str) -> Db {
        let url = self.says(&format!("/{service}/database"));
        Db::connect(&url, 1).await.expect("the database opens")
    }

    /// The server that its databases are on, as its administrator sees it.
    pub async fn server(&self) -> Db {
        let Backend::Servers { postgres, .. } = &self.options.backend else {
            panic!("there is no server");
        };
        let url = format!("{}/postgres", postgres.trim_end_matches('/'));
        Db::connect(&url, 1).await.expect("the server answers")
    }

    /// What its programs were told by this variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        let found = self.options.env.iter().find(|(known, _)| known == name);
        &found.expect("a variable of this suite").1
    }

    /// Runs the command with these arguments; tells its exit code and what it printed, an object a
    /// line.
    pub async fn ask(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        self.ask_on(self.folder.path(), arguments).await
    }

    /// The same on another data directory.
    pub async fn ask_on(&self, data: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        let mut command = tokio::process::Command::from(self.quintet_on(data));
        let ran = command.args(arguments).output().await.expect("quintet runs");
        let said = String::from_utf8(ran.stdout).expect("text");
        let lines = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (ran.status.code(), lines)
    }

    /// The exit code of `quintet audit`, which waits so long for rest, and its verdict.
    pub async fn audit(&self, wait: &str) -> (Option<i32>, Value) {
        let (code, mut said) = self.ask(&["audit", "--wait", wait]).await;
        (code, said.pop().expect("a verdict"))
    }

    /// A port with room for a second suite beside this one.
    #[must_use]
    pub fn port_beside(&self) -> String {
        (self.ports.first() + BESIDE).to_string()
    }

    /// The launcher's arguments for a second suite on the same backend.
    #[must_use]
    pub fn backend_beside(&self) -> Vec<String> {
        self.options.backend.arguments(&format!("{}b_", self.namespace))
    }

    /// The command, on this suite's data and with `--json`.
    #[must_use]
    pub fn quintet(&self) -> Command {
        self.quintet_on(self.folder.path())
    }

    /// Where it keeps its data and `up.json`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn quintet_on(&self, data: &Path) -> Command {
        let with_crash_points = self.options.crash_points;
        let quintet =
            if with_crash_points { programs::with_crash_points() } else { programs::quintet() };
        let mut command = Command::new(quintet);
        // What the usual manifest starts is relative to the checkout, and `bench` knows no other.
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        command.arg("--data").arg(data).arg("--json");
        command
    }

    /// What a program has logged.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        let path = self.path(&format!("logs/{program}.log"));
        fs::read_to_string(path).expect("the supervisor keeps it")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }

    fn launcher(&self) -> MutexGuard<'_, Option<Launcher>> {
        self.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the process with this id a signal.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("it takes signals");
}

impl Drop for Suite {
    fn drop(&mut self) {
        if let Some(ways) = &self.ways {
            ways.kafka.heal();
            ways.postgres.heal();
        }
        drop(self.launcher().take());
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the suite's data and logs are kept in {}", self.folder.path().display());
        }
        self.options.backend.clean_up(&self.namespace);
    }
}
