use std::{
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::Ports;

/// A broker needs a few seconds, and much longer where everybody else works too.
const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);
/// Any will do.
const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
/// Runs the broker until its standard input ends: with whoever started it, however that ends.
const LEASHED: &str = r#""$@" & cat >/dev/null; kill -9 $!; wait"#;

/// A Kafka broker of a test's own, which can be killed and started again on its data.
#[derive(Debug)]
pub struct Broker {
    kafka: PathBuf,
    data: TempDir,
    ports: Ports,
    running: Mutex<Option<Child>>,
}

impl Broker {
    /// Starts one from the distribution in `kafka`, with these settings on top of what a single
    /// broker needs, and returns when it listens.
    ///
    /// # Panics
    /// If it does not listen within three minutes.
    #[must_use]
    pub fn start(kafka: &Path, settings: &[(&str, &str)]) -> Self {
        let data = tempfile::Builder::new().prefix("quintet-kafka-").tempdir().expect("a folder");
        let (kafka, ports, running) = (kafka.to_owned(), Ports::free(), Mutex::default());
        let broker = Self { kafka, data, ports, running };
        let mut configuration = broker.configuration();
        configuration.extend(settings.iter().map(|(name, value)| format!("{name}={value}\n")));
        fs::write(broker.path("server.properties"), configuration).expect("a file");
        let arguments = ["format", "--ignore-formatted", "-t", CLUSTER, "-c"];
        let mut format = broker.program("kafka-storage.sh");
        format.args(arguments).arg(broker.path("server.properties"));
        let formatted = format.stdin(Stdio::null()).status().expect("Kafka's programs run");
        assert!(formatted.success(), "its folder cannot be made:\n{}", broker.said());
        broker.go_on();
        broker
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.first())
    }

    /// `kill -9`, if it runs.
    pub fn stop(&self) {
        if let Some(mut running) = self.running().take() {
            drop(running.stdin.take());
            let _ = running.wait();
        }
    }

    /// Starts it again after [`Broker::stop`], and returns when it listens.
    ///
    /// # Panics
    /// If it does not within three minutes.
    pub fn go_on(&self) {
        let mut command = Command::new("sh");
        command.args(["-c", LEASHED, "broker"]).arg(self.kafka.join("bin/kafka-server-start.sh"));
        self.surround(&mut command).arg(self.path("server.properties")).stdin(Stdio::piped());
        *self.running() = Some(command.spawn().expect("a shell"));
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < give_up, "the broker does not listen:\n{}", self.said());
            sleep(POLL);
        }
    }

    /// Runs one of the distribution's tools against this broker, by its class: not all have a script.
    ///
    /// # Panics
    /// If it fails.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        let mut tool = Command::new("java");
        self.surround(&mut tool).arg("-cp").arg(self.kafka.join("libs/*")).arg(class);
        tool.args(["--bootstrap-server", &self.address()]).args(arguments).stdin(Stdio::null());
        let done = tool.status().expect("Java runs");
        assert!(done.success(), "{class} {arguments:?} failed:\n{}", self.said());
    }

    fn configuration(&self) -> String {
        let (port, controller) = (self.ports.first(), self.ports.first() + 1);
        let log = self.path("log");
        format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
",
            log.display()
        )
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.kafka.join("bin").join(name));
        self.surround(&mut command);
        command
    }

    /// A small heap, and nothing written into the distribution.
    fn surround<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let said = || File::options().create(true).append(true).open(self.path("said"));
        let (stdout, stderr) = (said().expect("a file"), said().expect("a file"));
        command.env("KAFKA_HEAP_OPTS", "-Xmx384m").env("LOG_DIR", self.path("logs"));
        command.stdout(stdout).stderr(stderr)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
