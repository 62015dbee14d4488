//! A Kafka broker that a test starts and kills.

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

/// How long a broker may take to start: a few seconds, and much longer on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);
/// The id of the cluster. Any id works.
const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
/// A shell script that runs the broker until the script's standard input ends, which it does even if the test's process is
/// killed.
const LEASHED: &str = r#""$@" & cat >/dev/null; kill -9 $!; wait"#;

/// A Kafka broker for one test, which can kill it and start it again with the same data.
#[derive(Debug)]
pub struct Broker {
    /// The folder of the distribution.
    kafka: PathBuf,
    data: TempDir,
    ports: Ports,
    running: Mutex<Option<Child>>,
}

impl Broker {
    /// Starts a broker from the distribution in `kafka`, with these settings in addition to those of a single broker.
    /// Returns when it listens.
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
        assert!(formatted.success(), "its folder cannot be made:\n{}", broker.output());
        broker.go_on();
        broker
    }

    /// The address, a `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.first())
    }

    /// Kills the broker with SIGKILL, if it runs.
    pub fn stop(&self) {
        if let Some(mut running) = self.running().take() {
            drop(running.stdin.take());
            let _ = running.wait();
        }
    }

    /// Starts the broker again after [`Broker::stop`]. Returns when it listens.
    ///
    /// # Panics
    /// If it does not listen within three minutes.
    pub fn go_on(&self) {
        let mut command = Command::new("sh");
        command.args(["-c", LEASHED, "broker"]).arg(self.kafka.join("bin/kafka-server-start.sh"));
        self.set_up(&mut command).arg(self.path("server.properties")).stdin(Stdio::piped());
        *self.running() = Some(command.spawn().expect("a shell"));
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < give_up, "the broker does not listen:\n{}", self.output());
            sleep(POLL);
        }
    }

    /// Runs a tool of the distribution against this broker. It is named by its Java class, since not every tool has a
    /// script.
    ///
    /// # Panics
    /// If the tool fails.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        let mut tool = Command::new("java");
        self.set_up(&mut tool).arg("-cp").arg(self.kafka.join("libs/*")).arg(class);
        tool.args(["--bootstrap-server", &self.address()]).args(arguments).stdin(Stdio::null());
        let done = tool.status().expect("Java runs");
        assert!(done.success(), "{class} {arguments:?} failed:\n{}", self.output());
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
        self.set_up(&mut command);
        command
    }

    /// Gives a Java program a small heap, and sends its logs and output to the test's own folder, so that it writes nothing
    /// into the distribution.
    fn set_up<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let output = || File::options().create(true).append(true).open(self.path("output"));
        let (stdout, stderr) = (output().expect("a file"), output().expect("a file"));
        command.env("KAFKA_HEAP_OPTS", "-Xmx384m").env("LOG_DIR", self.path("logs"));
        command.stdout(stdout).stderr(stderr)
    }

    /// The output of all its programs so far, for the messages of panics.
    fn output(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap_or_default()
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
