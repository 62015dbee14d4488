//! Reads settings from the defaults, a file and the environment.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};
use serde::de::DeserializeOwned;

use super::{
    Config, Defaults,
    secrets::{Secrets, readable},
};

/// The section that is passed on to librdkafka. Its settings can have any name.
pub(super) const PASSED_ON: &str = "kafka";

/// The settings of a service: those that all services have, and its own.
pub(crate) type Loaded<O> = (Config, O);

/// Reads the settings of a service. Each source overrides those before it: the defaults of all services, the defaults
/// of this service, the settings file, the environment variables with the service's prefix.
///
/// A variable whose name ends with `_FILE` names a file that holds the value. Such values are added to `secrets`.
///
/// # Errors
/// Naming the setting, what is wrong with it and its source. The text may contain secrets: pass it through
/// [`Secrets::hide`] before it is shown.
pub(crate) fn load<O: DeserializeOwned>(
    defaults: &Defaults,
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    secrets: &mut Secrets,
) -> anyhow::Result<Loaded<O>> {
    let shared = Figment::from(Toml::string(&defaults.shared));
    let merged = shared.merge(Toml::string(defaults.own));
    let known = leaves(&merged)?;
    let mut figment = merged;
    if let Some(file) = file {
        let given = Figment::from(Toml::file_exact(file));
        let checked = leaves(&given)
            .and_then(|given| given.keys().try_for_each(|key| require_known(&known, key)));
        checked.with_context(|| file.display().to_string())?;
        figment = figment.merge(given);
    }
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix(&defaults.prefix) {
            let value = Given { name: &name, key, value };
            figment = figment.merge(variable(&known, value, secrets)?);
        }
    }
    let config: Config = figment.extract().map_err(readable)?;
    config.check()?;
    Ok((config, figment.extract().map_err(readable)?))
}

/// All settings of a source: dotted keys, such as `bus.url`, with their values.
fn leaves(figment: &Figment) -> anyhow::Result<BTreeMap<String, Value>> {
    fn walk(prefix: &str, dict: Dict, into: &mut BTreeMap<String, Value>) {
        for (name, value) in dict {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Dict(_, inner) => walk(&key, inner, into),
                value => drop(into.insert(key, value)),
            }
        }
    }
    let mut found = BTreeMap::new();
    let data = figment.data().map_err(readable)?;
    for dict in data.into_values() {
        walk("", dict, &mut found);
    }
    Ok(found)
}

fn require_known(known: &BTreeMap<String, Value>, key: &str) -> anyhow::Result<()> {
    let passed_on = key.split_once('.').is_some_and(|(first, _)| first == PASSED_ON);
    if passed_on || known.contains_key(key) {
        return Ok(());
    }
    let nearest = known.keys().min_by_key(|other| strsim::levenshtein(key, other));
    bail!("there is no setting {key}; is {} meant?", nearest.map_or("none", String::as_str))
}

/// An environment variable of the service.
struct Given<'g> {
    name: &'g str,
    /// The name without the prefix.
    key: &'g str,
    value: String,
}

/// Makes a source of a single variable, so that an error about its value names the variable.
fn variable(
    known: &BTreeMap<String, Value>,
    given: Given<'_>,
    secrets: &mut Secrets,
) -> anyhow::Result<Variable> {
    let Given { name, key, mut value } = given;
    let mut path: Vec<String> = key.to_lowercase().split("__").map(ToOwned::to_owned).collect();
    // A setting of librdkafka whose own name ends with `_file` can therefore only be set in the settings file.
    if !known.contains_key(&path.join("."))
        && let Some(last) = path.last_mut()
        && let Some(short) = last.strip_suffix("_file")
    {
        *last = short.to_owned();
        value = secret(Path::new(&value)).with_context(|| name.to_owned())?;
        secrets.keep(&value);
    }
    // The names of librdkafka's settings contain dots, which names of variables cannot.
    if path.first().is_some_and(|first| first == PASSED_ON) && path.len() == 2 {
        path[1] = path[1].replace('_', ".");
    }
    let dotted = path.join(".");
    require_known(known, &dotted).with_context(|| name.to_owned())?;
    // A setting that is a text stays one, even where its value looks like a number: a namespace may be `17`.
    let text = matches!(known.get(&dotted), Some(Value::String(..)) | None);
    let value = if text {
        Value::from(value)
    } else {
        value.parse().map_err(|never: std::convert::Infallible| anyhow!(never))?
    };
    Ok(Variable { name: name.to_owned(), path, value })
}

fn secret(path: &Path) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| PathBuf::from(path).display().to_string())?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A source with a single setting.
struct Variable {
    name: String,
    /// The parts of its key: `bus`, `url`.
    path: Vec<String>,
    value: Value,
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the variable {}", self.name))
            .interpolater(|_: &Profile, keys: &[&str]| keys.join("."))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut value = self.value.clone();
        for name in self.path.iter().skip(1).rev() {
            value = Value::from(Dict::from([(name.clone(), value)]));
        }
        let dict = Dict::from([(self.path.first().cloned().unwrap_or_default(), value)]);
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const OWN: &str = "listen = \"127.0.0.1:8080\"\nadmin_listen = \"127.0.0.1:8180\"\n\
        [cors]\norigins = []\n[publish]\ntrip = 2\n";

    #[derive(Debug, Deserialize)]
    struct Own {
        publish: Publish,
    }

    #[derive(Debug, Deserialize)]
    struct Publish {
        trip: u32,
    }

    fn defaults() -> Defaults {
        Defaults::new("quintet", "booking", OWN)
    }

    fn given(file: Option<&str>, variables: &[(&str, &str)]) -> anyhow::Result<Loaded<Own>> {
        let path = file.map(|text| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(&file, text).unwrap();
            file.into_temp_path()
        });
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let secrets = &mut Secrets::default();
        load(&defaults(), path.as_deref(), variables, secrets)
    }

    fn refused(file: Option<&str>, variables: &[(&str, &str)]) -> String {
        format!("{:#}", given(file, variables).unwrap_err())
    }

    #[test]
    fn each_source_overrides_those_before() {
        let file = Some("[bus]\npartitions = 6\n[outbox]\nlimit = 5\n[publish]\ntrip = 1");
        let variables = [("QUINTET_BOOKING__OUTBOX__LIMIT", "7"), ("QUINTET_HOTELS__NO", "x")];
        let (config, own) = given(file, &variables).unwrap();
        assert_eq!((config.bus.partitions, config.outbox.limit), (6, 7));
        assert_eq!((config.commands.queue, own.publish.trip), (10_000, 1));
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_a_text() {
        let (config, _) = given(None, &[("QUINTET_BOOKING__BUS__NAMESPACE", "17")]).unwrap();
        assert_eq!(config.bus.namespace, "17");
    }

    #[test]
    fn a_secret_is_read_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "postgres://me:secret@host/db\n").unwrap();
        let path = file.path().to_str().unwrap();
        let (config, _) = given(None, &[("QUINTET_BOOKING__DATABASE__URL_FILE", path)]).unwrap();
        assert_eq!(config.database.url, "postgres://me:secret@host/db");
        let (config, _) =
            given(None, &[("QUINTET_BOOKING__KAFKA__SASL_PASSWORD_FILE", path)]).unwrap();
        assert_eq!(config.kafka["sasl.password"], "postgres://me:secret@host/db");
        let missing = refused(None, &[("QUINTET_BOOKING__DATABASE__URL_FILE", "/no/such")]);
        assert!(
            missing.starts_with("QUINTET_BOOKING__DATABASE__URL_FILE: /no/such: "),
            "{missing}"
        );
    }

    #[test]
    fn origins_are_a_list_and_checked() {
        let variables = [("QUINTET_BOOKING__CORS__ORIGINS", r#"["https://shop.example"]"#)];
        let (config, _) = given(None, &variables).unwrap();
        assert_eq!(config.cors.origins, ["https://shop.example"]);
        for wrong in ["*", "https://shop.example/", "shop.example"] {
            let error = refused(Some(&format!("[cors]\norigins = [{wrong:?}]")), &[]);
            assert!(error.starts_with(&format!("cors.origins: {wrong:?} is no origin")), "{error}");
        }
    }

    #[test]
    fn spans_name_the_first_broker_and_the_client() {
        let messaging = |file: &str| {
            let (config, _) = given(Some(file), &[]).unwrap();
            config.engine_settings("booking").messaging
        };
        let log = messaging("[bus]\nurl = \"log:x\"");
        assert_eq!((log.system, &log.host, &*log.client_id), ("quintet_log", &None, "booking"));
        let kafka = messaging("[bus]\nurl = \"kafka:a:1,b:2\"\n[kafka]\n\"client.id\" = \"mine\"");
        assert_eq!((kafka.system, kafka.host.as_deref()), ("kafka", Some("a")));
        assert_eq!((kafka.port, &*kafka.client_id), (Some(1), "mine"));
        let ipv6 = messaging("[bus]\nurl = \"kafka:[::1]:9092\"");
        assert_eq!((ipv6.host.as_deref(), ipv6.port), (Some("::1"), Some(9092)));
    }

    #[test]
    fn settings_of_librdkafka_are_passed_on() {
        let file = "[kafka]\n\"sasl.username\" = \"me\"";
        let variables = [("QUINTET_BOOKING__KAFKA__SECURITY_PROTOCOL", "SASL_SSL")];
        let (config, _) = given(Some(file), &variables).unwrap();
        assert_eq!(config.kafka["sasl.username"], "me");
        assert_eq!(config.kafka["security.protocol"], "SASL_SSL");
    }

    #[test]
    fn an_unknown_setting_is_named_with_the_nearest_known() {
        let error = refused(None, &[("QUINTET_BOOKING__PUBLISH__TRIPS", "1")]);
        let expected = "QUINTET_BOOKING__PUBLISH__TRIPS: there is no setting publish.trips; is \
                        publish.trip meant?";
        assert_eq!(error, expected);
        assert!(refused(Some("[bus]\nurI = 1"), &[]).ends_with("is bus.url meant?"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_source() {
        let error = refused(None, &[("QUINTET_BOOKING__BUS__PARTITIONS", "three")]);
        assert!(error.starts_with("bus.partitions: "), "{error}");
        assert!(error.ends_with("in the variable QUINTET_BOOKING__BUS__PARTITIONS"), "{error}");
        assert_eq!(refused(Some("[engine]\nbatch = 0"), &[]), "engine.batch must be more than 0");
        let error = refused(Some("[effects]\ntimeout = \"soon\""), &[]);
        assert!(error.contains("\"soon\" is no duration such as 10s or 5m"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_its_lines_are_not_shown() {
        let load = |path: &str| {
            let secrets = &mut Secrets::default();
            let loaded = load::<Own>(&defaults(), Some(Path::new(path)), Vec::new(), secrets);
            format!("{:#}", loaded.unwrap_err())
        };
        assert!(load("/no/such.toml").starts_with("/no/such.toml: No such file"));
        let error = refused(Some("[kafka]\n\"sasl.password\" = \"hunter2\nx = 1"), &[]);
        assert!(!error.contains("hunter2") && error.contains("line 2"), "{error}");
        let error = refused(Some("[kafka]\nssl = 31337"), &[]);
        assert!(error.starts_with("kafka.ssl: must be a text in quotes"), "{error}");
    }

    #[test]
    fn limits_that_no_listener_can_have_are_refused() {
        let listed = ("QUINTET_BOOKING__HTTP__HOSTS", r#"["shop.example"]"#);
        let (config, _) = given(Some("[http]\nproxies = [\"10.0.0.0/8\"]"), &[listed]).unwrap();
        assert_eq!(config.http.hosts, ["shop.example"]);
        for (file, expected) in [
            ("streams = 0", "http.streams must be more than 0"),
            ("idle_timeout = \"0s\"", "http.idle_timeout must be more than 0"),
            (
                "bodies_mib = 1048577",
                "http.bodies_mib and http.answers_mib must be 1048576 at most",
            ),
            (
                "proxies = [\"lb\"]",
                "http.proxies has \"lb\": give addresses or networks, as in 10.0.0.0/8",
            ),
            (
                "hosts = [\"https://shop.example\"]",
                "http.hosts has \"https://shop.example\": give names of hosts without scheme and port",
            ),
        ] {
            assert_eq!(refused(Some(&format!("[http]\n{file}")), &[]), expected);
        }
    }
}
