//! The settings of librdkafka: our defaults, the user's settings over them, and checks of both.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::{BusError, DEFAULT_MAX_RECORD_BYTES};

/// The part of `message.max.bytes` that is not for the record: batch header, lengths, room for many headers.
const FRAMING_BYTES: usize = (1 << 20) - DEFAULT_MAX_RECORD_BYTES;

const COMMON: [(&str, &str); 3] = [
    // How often a client asks which topics and partitions exist. Partitions that are added are read within
    // seconds, and so is a topic once a withdrawn right is granted again.
    ("topic.metadata.refresh.interval.ms", "5000"),
    // Short, so that a restarted broker is found soon.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
];

const PRODUCER: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // After a record that failed for good no later one is sent: there must be no gap.
    ("enable.gapless.guarantee", "true"),
    // No time-out: after one, a later record could pass the earlier one.
    ("message.timeout.ms", "0"),
    ("message.max.bytes", "1048576"),
    // The same partition that Java clients and the log choose.
    ("partitioner", "murmur2_random"),
    // Records of one publish are in the queue together anyway. Waiting for more costs a wake-up of a thread for
    // each hop of an aggregate's events, a quarter of the time from its first event to its last.
    ("linger.ms", "0"),
    ("compression.codec", "lz4"),
    ("retry.backoff.max.ms", "500"),
];

const CONSUMER: [(&str, &str); 7] = [
    // librdkafka commits in the background, but only offsets that were stored after a batch was applied. So
    // records of a batch that a crash interrupts are delivered again.
    ("enable.auto.commit", "true"),
    ("enable.auto.offset.store", "false"),
    ("auto.commit.interval.ms", "1000"),
    // Records that were deleted unread must not be passed over silently. `Context` says what happens where a
    // group has no offset.
    ("auto.offset.reset", "error"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
];

/// The settings that at-least-once delivery in order depends on, with librdkafka's other names for them.
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

/// Whether the setting makes TLS accept any certificate, or one of another host.
fn is_unchecked(name: &str, value: &str) -> bool {
    match name {
        "enable.ssl.certificate.verification" => !matches!(value, "true" | "1" | "t"),
        "ssl.endpoint.identification.algorithm" => value != "https",
        _ => false,
    }
}

/// Secrets that SASL_PLAINTEXT would send unencrypted.
const SENT_IN_CLEAR: [&str; 3] =
    ["sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "sasl.password"];

/// The host of a broker that is given as `HOST:PORT` or `HOST`; `None` if it is neither.
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

/// The hosts of all brokers. Their protocol is another setting.
fn hosts(brokers: &str) -> Result<Vec<&str>, BusError> {
    let is_wrong = |broker: &'_ str| host(broker.trim()).is_none();
    if brokers.split(',').any(is_wrong) {
        let why = format!(
            "\"kafka:{brokers}\" should be kafka:HOST:PORT,HOST:PORT with ports of 1 to 65535 and without \
             a protocol: set the protocol by kafka.security.protocol"
        );
        return Err(BusError::settings("bus.url", why));
    }
    Ok(brokers.split(',').filter_map(|broker| host(broker.trim())).collect())
}

/// Whether the host is this machine.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Refuses settings that would send a secret unencrypted over a network.
fn refuse_clear(hosts: &[&str], overrides: &BTreeMap<String, String>) -> Result<(), BusError> {
    let protocol = overrides.get("security.protocol");
    let in_clear = protocol.is_some_and(|it| it.eq_ignore_ascii_case("sasl_plaintext"));
    let secret = SENT_IN_CLEAR.into_iter().find(|name| overrides.contains_key(*name));
    match secret {
        Some(secret) if in_clear && !hosts.iter().all(|host| is_local(host)) => {
            let why = format!(
                "SASL_PLAINTEXT would send kafka.{secret} unencrypted: set SASL_SSL, which needs a build \
                 with --features tls; SASL_PLAINTEXT is only allowed for brokers on this machine \
                 (localhost, 127.0.0.1, [::1])"
            );
            Err(BusError::settings("kafka.security.protocol", why))
        }
        _ => Ok(()),
    }
}

/// Why librdkafka refuses a setting. The error does not repeat the value, which may be a secret.
fn refused(error: KafkaError) -> BusError {
    let KafkaError::ClientConfig(_, why, name, value) = error else {
        return BusError::kafka("checking the settings", error);
    };
    let why = why.replace(&format!("\"{value}\""), "\"…\"");
    let remedy = if why.contains("OpenSSL") { ": build with --features tls" } else { "" };
    BusError::settings(format!("kafka.{name}"), format!("{why}{remedy}"))
}

/// The settings from which those of each client are made.
#[derive(Clone)]
pub(crate) struct Config {
    brokers: String,
    /// `client.id`, which distinguishes clients in the broker's logs, quotas and metrics.
    client: String,
    overrides: BTreeMap<String, String>,
    max_record_bytes: usize,
}

impl Config {
    /// Checks the settings and keeps them.
    ///
    /// # Errors
    /// [`BusError::Settings`] that names a setting that librdkafka refuses or that must not be changed.
    pub(crate) fn new(
        brokers: &str,
        client: &str,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, BusError> {
        for name in overrides.keys() {
            if GUARDED.contains(&name.as_str()) {
                let why = "must not be set, because delivery at least once and in order depends on it: \
                           remove it";
                return Err(BusError::settings(format!("kafka.{name}"), why));
            }
        }
        for (name, value) in overrides {
            if is_unchecked(name, value) {
                let why = format!(
                    "with {value} any server could pose as the broker: remove it, and name the authority \
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

    /// The settings of a consumer in `group`, which is the name at the broker.
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
    fn the_users_settings_override_ours() {
        let config = with("linger.ms", "7").expect("a known setting");
        assert_eq!(config.producer().get("linger.ms"), Some("7"));
        assert_eq!(config.max_record_bytes(), DEFAULT_MAX_RECORD_BYTES);
    }

    #[test]
    fn every_client_has_the_name_of_its_service_unless_the_user_sets_another() {
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
    fn brokers_are_hosts_with_or_without_a_port() {
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
    fn a_secret_is_sent_unencrypted_to_this_machine_only() {
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
    fn an_error_does_not_repeat_the_value_and_names_a_build_without_tls() {
        let error_of = |name, value| with(name, value).err().map(|error| error.to_string());
        let error = error_of("linger.ms", "hunter2").expect("must be refused");
        assert!(error.starts_with("kafka.linger.ms: ") && !error.contains("hunter2"), "{error}");
        if !cfg!(feature = "tls") {
            for name in ["ssl.key.password", "ssl.key.pem"] {
                let error = error_of(name, "hunter2").expect("must be refused");
                assert!(error.ends_with("build with --features tls"), "{error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn an_error_names_an_unknown_wrong_or_dangerous_setting() {
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
