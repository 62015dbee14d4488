//! librdkafka's settings: ours, and the user's over them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::{BusError, DEFAULT_MAX_RECORD_BYTES};

/// What `message.max.bytes` holds beyond a record: batch header, lengths, room for many headers.
const FRAMING_BYTES: usize = (1 << 20) - DEFAULT_MAX_RECORD_BYTES;

const COMMON: [(&str, &str); 3] = [
    // So often a client asks which topics and partitions there are: added partitions are read within
    // seconds, and a topic whose rights were withdrawn is read again soon after they are granted.
    ("topic.metadata.refresh.interval.ms", "5000"),
    // Short enough that a restarted broker is found at once.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
];

const PRODUCER: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // A record that failed for good must stop the line, not leave a gap.
    ("enable.gapless.guarantee", "true"),
    // Never: a timed-out record would let a later one pass.
    ("message.timeout.ms", "0"),
    ("message.max.bytes", "1048576"),
    // The partition that Java clients choose, and the log.
    ("partitioner", "murmur2_random"),
    // What is sent together lies in its queue together. To wait for more takes a thread's wake-up for
    // every hop of an aggregate's events, a quarter of the time from its first event to its last.
    ("linger.ms", "0"),
    ("compression.codec", "lz4"),
    ("retry.backoff.max.ms", "500"),
];

const CONSUMER: [(&str, &str); 7] = [
    // Lazily, but only what was stored: what a crash interrupts is delivered again.
    ("enable.auto.commit", "true"),
    ("enable.auto.offset.store", "false"),
    ("auto.commit.interval.ms", "1000"),
    // What was deleted unread is not passed over. Where a group has no offset, see `Context`.
    ("auto.offset.reset", "error"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
];

/// What the delivery promise rests on, with librdkafka's other names for it.
const GUARDED: [&str; 15] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "group.id",
    "group.instance.id",
    "message.timeout.ms",
    "metadata.broker.list",
    "partitioner",
    "request.required.acks",
    "transactional.id",
];

/// Whether the setting makes TLS take any certificate, or one of another host.
fn is_unchecked(name: &str, value: &str) -> bool {
    match name {
        "enable.ssl.certificate.verification" => !matches!(value, "true" | "1" | "t"),
        "ssl.endpoint.identification.algorithm" => value != "https",
        _ => false,
    }
}

/// What would be sent for anybody to read who listens between here and the broker.
const SENT_IN_CLEAR: [&str; 3] =
    ["sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "sasl.password"];

/// A broker as `HOST:PORT`, or `HOST` with the port that Kafka usually has; none if it is neither.
fn host(broker: &str) -> Option<&str> {
    let (host, port) = match broker.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => match broker.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (broker, None),
        },
    };
    let is_port = port.is_none_or(|port| port.parse().is_ok_and(|port: u16| port > 0));
    (is_port && !host.is_empty() && !host.contains(['/', '@', ' '])).then_some(host)
}

/// The hosts of all brokers. Which protocol they speak is a setting of its own.
fn hosts(brokers: &str) -> Result<Vec<&str>, BusError> {
    let read = |broker: &'_ str| host(broker.trim()).is_none();
    if brokers.split(',').any(read) {
        let why = format!(
            "\"kafka:{brokers}\" should be kafka:HOST:PORT,HOST:PORT with ports of 1 to 65535 and no \
             protocol, which is the setting kafka.security.protocol"
        );
        return Err(BusError::settings("bus.url", why));
    }
    Ok(brokers.split(',').filter_map(|broker| host(broker.trim())).collect())
}

/// Whether what is sent to this host stays on this machine.
fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Refuses to send a password that others can read on its way.
fn refuse_clear(hosts: &[&str], overrides: &BTreeMap<String, String>) -> Result<(), BusError> {
    let protocol = overrides.get("security.protocol");
    let in_clear = protocol.is_some_and(|it| it.eq_ignore_ascii_case("sasl_plaintext"));
    let secret = SENT_IN_CLEAR.into_iter().find(|name| overrides.contains_key(*name));
    match secret {
        Some(secret) if in_clear && !hosts.iter().all(|host| is_here(host)) => {
            let why = format!(
                "SASL_PLAINTEXT would send kafka.{secret} in clear: set SASL_SSL, which takes a build \
                 with --features tls; only a broker on this machine (localhost, 127.0.0.1, [::1]) may be \
                 spoken to so"
            );
            Err(BusError::settings("kafka.security.protocol", why))
        }
        _ => Ok(()),
    }
}

/// What librdkafka says of a setting, without its value: that may be a secret.
fn refused(error: KafkaError) -> BusError {
    let KafkaError::ClientConfig(_, why, name, value) = error else {
        return BusError::kafka("checking the settings", error);
    };
    let why = why.replace(&format!("\"{value}\""), "\"…\"");
    let remedy = if why.contains("OpenSSL") { ": build with --features tls" } else { "" };
    BusError::settings(format!("kafka.{name}"), format!("{why}{remedy}"))
}

/// The settings of every client.
#[derive(Clone)]
pub(crate) struct Config {
    brokers: String,
    /// `client.id`, by which the broker's logs, quotas and metrics tell clients apart.
    client: String,
    overrides: BTreeMap<String, String>,
    max_record_bytes: usize,
}

impl Config {
    /// # Errors
    /// [`BusError::Settings`] naming what librdkafka does not take or what must not be changed.
    pub(crate) fn new(
        brokers: &str,
        client: &str,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, BusError> {
        for name in overrides.keys() {
            if GUARDED.contains(&name.as_str()) {
                let why = "must stay as it is, the delivery promise rests on it: remove it";
                return Err(BusError::settings(format!("kafka.{name}"), why));
            }
        }
        for (name, value) in overrides {
            if is_unchecked(name, value) {
                let why = format!(
                    "{value} would let anybody pass for the broker: remove it, and name the authority \
                     that signed the broker's certificate by ssl.ca.location"
                );
                return Err(BusError::settings(format!("kafka.{name}"), why));
            }
        }
        refuse_clear(&hosts(brokers)?, overrides)?;
        let mut config = Self {
            brokers: brokers.to_owned(),
            client: client.to_owned(),
            overrides: overrides.clone(),
            max_record_bytes: 0,
        };
        config.consumer("check").create_native_config().map_err(refused)?;
        let native = config.producer().create_native_config().map_err(refused)?;
        let message = native.get("message.max.bytes").map_err(refused)?;
        let message: usize = message.trim_end_matches('\0').parse().unwrap_or(0);
        config.max_record_bytes = message.checked_sub(FRAMING_BYTES).ok_or_else(|| {
            let why = format!("{message} is too small, give it at least {}", 2 * FRAMING_BYTES);
            BusError::settings("kafka.message.max.bytes", why)
        })?;
        Ok(config)
    }

    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(super) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes
    }

    pub(super) fn producer(&self) -> ClientConfig {
        self.client(&PRODUCER)
    }

    /// `group` is the name at the broker.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client(&CONSUMER);
        config.set("group.id", group);
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[])
    }

    fn client(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", &self.client);
        for (name, value) in COMMON.iter().chain(ours) {
            config.set(*name, *value);
        }
        for (name, value) in &self.overrides {
            config.set(name, value);
        }
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Config, BusError> {
        let overrides = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Config::new("localhost:9092", "quintet-test", &overrides)
    }

    #[test]
    fn librdkafkas_settings_pass_through_over_ours() {
        let config = with("linger.ms", "7").expect("a known setting");
        assert_eq!(config.producer().get("linger.ms"), Some("7"));
        assert_eq!(config.max_record_bytes(), DEFAULT_MAX_RECORD_BYTES);
    }

    #[test]
    fn every_client_bears_the_name_of_its_service_unless_the_user_gives_another() {
        let config = with("linger.ms", "7").expect("a known setting");
        for client in [config.producer(), config.consumer("g"), config.admin()] {
            assert_eq!(client.get("client.id"), Some("quintet-test"));
        }
        let config = with("client.id", "mine").expect("a known setting");
        assert_eq!(config.producer().get("client.id"), Some("mine"));
    }

    #[test]
    fn a_larger_message_limit_raises_the_record_limit() {
        let config = with("message.max.bytes", "2097152").expect("a known setting");
        assert_eq!(config.max_record_bytes(), DEFAULT_MAX_RECORD_BYTES + (1 << 20));
    }

    #[test]
    fn brokers_are_hosts_and_perhaps_ports() {
        let none = BTreeMap::new();
        for right in ["a", "a:1", "a:9092, b.example:9092", "[::1]:9092", "[::1]", "10.0.0.1:65535"]
        {
            assert!(Config::new(right, "c", &none).is_ok(), "{right}");
        }
        for wrong in ["a:99999", "a:0", "a:", ":1", "a:1,", "::1", "ssl://a:1", "me@a:1", "[::1]9"]
        {
            let error = Config::new(wrong, "c", &none).err().expect("must be refused").to_string();
            assert!(error.starts_with("bus.url: \"kafka:"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_password_goes_in_clear_to_this_machine_only() {
        let connect = |brokers: &str, secret: &str| {
            let settings = [("security.protocol", "sasl_plaintext"), (secret, "x")];
            let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
            refuse_clear(&hosts(brokers).expect("brokers"), &BTreeMap::from(settings))
        };
        assert!(connect("127.0.0.1:9092,[::1]:9092,localhost", "sasl.password").is_ok());
        assert!(connect("broker:9092", "sasl.kerberos.principal").is_ok());
        for secret in SENT_IN_CLEAR {
            let error = connect("127.0.0.1:9092,broker:9092", secret).expect_err("must be refused");
            assert!(error.to_string().contains("set SASL_SSL"), "{error}");
        }
    }

    #[test]
    fn a_value_is_not_repeated_and_a_build_without_tls_is_named() {
        let told = |name, value| with(name, value).err().map(|error| error.to_string());
        let wrong = told("linger.ms", "hunter2").expect("must be refused");
        assert!(wrong.starts_with("kafka.linger.ms: ") && !wrong.contains("hunter2"), "{wrong}");
        if !cfg!(feature = "tls") {
            for name in ["ssl.key.password", "ssl.key.pem"] {
                let wrong = told(name, "hunter2").expect("must be refused");
                assert!(wrong.ends_with("build with --features tls"), "{wrong}");
                assert!(!wrong.contains("hunter2"), "{wrong}");
            }
        }
    }

    #[test]
    fn unknown_wrong_and_dangerous_settings_are_named() {
        let cases = [
            ("no.such.setting", "1"),
            ("linger.ms", "soon"),
            ("enable.idempotence", "false"),
            ("message.max.bytes", "1000"),
            ("enable.ssl.certificate.verification", "false"),
            ("ssl.endpoint.identification.algorithm", "none"),
        ];
        for (name, value) in cases {
            let error = with(name, value).err().expect("must be refused");
            assert!(matches!(error, BusError::Settings { .. }), "{name}: {error:?}");
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
}
