use std::{fmt, net::Ipv4Addr, path::PathBuf, time::Duration};

use clock::{SystemClock, SystemRandom, uuid_v7};
use quintet_test::proxy::{Protocol, Proxy};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use reqwest::Url;
use store::Db;
use testkit::Broker;

use crate::{READER, services};

const TOPICS: [&str; 7] = [
    "orders",
    "inventory",
    "payments",
    "shipping",
    "notifications",
    "products",
    bus::IDENTITY_TOPIC,
];
/// How long the broker may take to delete topics and groups. Cleaning up must not delay the tests for long.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const POSTGRES_PORT: u16 = 5432;

/// The proxies between a suite and its servers, by which a test can cut connections.
#[derive(Debug)]
pub struct Proxies {
    /// Knows the service of each connection, so that the connections of one service can be cut.
    pub kafka: Proxy,
    /// Does not know the service of a connection.
    pub postgres: Proxy,
}

/// The bus and the databases of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `SQLite` and the log: files in the suite's own folder.
    Files,
    /// PostgreSQL and Kafka, which other suites use at the same time.
    Servers {
        /// `postgres://USER@HOST:PORT`.
        postgres: String,
        /// `HOST:PORT`.
        brokers: String,
    },
    /// PostgreSQL, which other suites use at the same time, and a Kafka of the suite's own, which a test can stop.
    OwnBroker {
        /// `postgres://USER@HOST:PORT`.
        postgres: String,
        /// The folder of Kafka's distribution.
        kafka: PathBuf,
    },
}

impl Backend {
    /// The backends to test on: files always, servers if the environment names them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let servers = testkit::postgres().zip(testkit::kafka());
        let servers = servers.map(|(postgres, brokers)| Self::Servers { postgres, brokers });
        [Self::Files].into_iter().chain(servers).collect()
    }

    /// The backend with a broker of its own; `None` unless the environment names PostgreSQL and a distribution of Kafka.
    #[must_use]
    pub fn own_broker() -> Option<Self> {
        let servers = testkit::postgres().zip(testkit::kafka_dir());
        servers.map(|(postgres, kafka)| Self::OwnBroker { postgres, kafka })
    }

    /// Starts the suite's own broker, if it has one, and returns the backend with the broker's address.
    pub(crate) fn open(self) -> (Self, Option<Broker>) {
        match self {
            Self::OwnBroker { postgres, kafka } => {
                let broker = Broker::start(&kafka, &[]);
                (Self::Servers { postgres, brokers: broker.address() }, Some(broker))
            }
            other => (other, None),
        }
    }

    /// Starts the suite's own broker, and proxies before both servers. The broker advertises the address of its proxy, so that
    /// clients connect to nothing else.
    pub(crate) fn open_behind_proxies(self) -> (Self, Option<Broker>, Option<Proxies>) {
        let Self::OwnBroker { postgres, kafka } = self else {
            panic!(
                "proxies need Backend::OwnBroker: a shared broker does not advertise their address"
            );
        };
        let listener = Proxy::listener();
        let proxy = listener.local_addr().expect("the listener is bound");
        let advertised = format!("PLAINTEXT://{proxy}");
        let broker = Broker::start(&kafka, &[("advertised.listeners", &advertised)]);
        let mut url = Url::parse(&postgres).expect("a URL");
        let (host, port) = (url.host_str().expect("a host"), url.port().unwrap_or(POSTGRES_PORT));
        let server = format!("{host}:{port}");
        let proxies = Proxies {
            kafka: Proxy::start(listener, broker.address(), Protocol::Kafka),
            postgres: Proxy::start(Proxy::listener(), server, Protocol::Other),
        };
        url.set_ip_host(Ipv4Addr::LOCALHOST.into()).expect("an address");
        url.set_port(Some(proxies.postgres.port())).expect("a port");
        let (postgres, brokers) = (url.to_string(), proxies.kafka.address());
        (Self::Servers { postgres, brokers }, Some(broker), Some(proxies))
    }

    /// A random prefix for the names of one suite's databases, topics and groups. Empty for files, which no other suite uses.
    pub(crate) fn namespace(&self) -> String {
        match self {
            Self::Files => String::new(),
            Self::Servers { .. } | Self::OwnBroker { .. } => {
                let id = uuid_v7(&SystemClock, &SystemRandom).simple().to_string();
                format!("s{}_", &id[id.len() - 12..])
            }
        }
    }

    /// The arguments of `quintet up` for this backend.
    pub(crate) fn arguments(&self, namespace: &str) -> Vec<String> {
        match self {
            Self::Files | Self::OwnBroker { .. } => Vec::new(),
            Self::Servers { postgres, brokers } => {
                let arguments =
                    ["--postgres", postgres, "--brokers", brokers, "--namespace", namespace];
                arguments.map(ToOwned::to_owned).to_vec()
            }
        }
    }

    /// Deletes a suite's databases, topics and groups on the servers. Failures are ignored.
    pub(crate) fn clean_up(&self, namespace: &str) {
        let Self::Servers { postgres, brokers } = self else { return };
        let (postgres, brokers, namespace) =
            (postgres.clone(), brokers.clone(), namespace.to_owned());
        // In a thread of its own, because the scenario's runtime may be shutting down.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let clean = async {
                drop_databases(&postgres, &namespace).await;
                delete_topics(&brokers, &namespace).await;
            };
            runtime.map(|runtime| runtime.block_on(clean))
        });
        let _ = thread.join();
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Files => "files",
            Self::Servers { .. } => "servers",
            Self::OwnBroker { .. } => "own_broker",
        })
    }
}

/// Deletes all records of a topic, as the broker's retention does.
pub(crate) async fn delete_records(brokers: &str, topic: &str, partitions: i32) {
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    list.set_all_offsets(Offset::End).expect("offsets");
    let deleted = client.delete_records(&list, &AdminOptions::new()).await.expect("an answer");
    assert!(deleted.elements().iter().all(|partition| partition.error().is_ok()), "{deleted:?}");
}

async fn drop_databases(postgres: &str, namespace: &str) {
    let url = format!("{}/postgres", postgres.trim_end_matches('/'));
    let Ok(db) = Db::connect(&url, 1).await else { return };
    for service in services() {
        let sql = format!("drop database if exists \"quintet_{namespace}{service}\" with (force)");
        let _ = db.fetch(&sql, Vec::new()).await;
    }
    db.close().await;
}

async fn delete_topics(brokers: &str, namespace: &str) {
    let client: Result<AdminClient<DefaultClientContext>, _> =
        ClientConfig::new().set("bootstrap.servers", brokers).create();
    let Ok(client) = client else { return };
    let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
    let topics = TOPICS.map(|topic| format!("{namespace}{topic}"));
    let _ = client.delete_topics(&topics.each_ref().map(String::as_str), &options).await;
    let group = |service| format!("{namespace}quintet-{service}");
    let mut groups: Vec<String> = services().into_iter().map(group).collect();
    groups.push(format!("{namespace}{READER}"));
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let _ = client.delete_groups(&groups, &options).await;
}
