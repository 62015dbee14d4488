//! The environment variables that each program is started with. The user's own variables override the launcher's, except
//! for addresses: the launcher must know where each program listens.

use crate::component::{Component, Member};
use crate::datadir::DataDir;
use crate::manifest::{Manifest, Reference, filled};
use crate::ports::Ports;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

/// The decisions of `up` from which the configuration of all programs follows.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) manifest: &'static Manifest,
    pub(crate) dir: &'a DataDir,
    pub(crate) ports: Ports,
    /// The URL of each service's database.
    pub(crate) databases: BTreeMap<Component, String>,
    pub(crate) bus_url: String,
    /// The prefix of the names of topics, groups and databases.
    pub(crate) namespace: String,
    /// The number of processes of each service.
    pub(crate) replicas: usize,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The variable that names the pipe by which a program notices the end of its launcher.
pub(crate) const LEASH: &str = "QUINTET_LEASH";
/// The host names that services answer. They listen on the loopback interface alone, so a request for another name comes
/// from a web page whose domain was made to resolve to this machine (DNS rebinding).
const HOSTS: &str = r#"["localhost","127.0.0.1"]"#;

impl Plan<'_> {
    fn variable(&self, component: Component, key: &str, value: &impl ToString) -> Variable {
        Variable { name: component.variable(&self.manifest.name, key), value: value.to_string() }
    }

    /// The variables that a program is started with on top of the launcher's own.
    pub(crate) fn variables(&self, member: Member) -> Vec<Variable> {
        let mut variables = self.addresses(member);
        let defaults = self.defaults(member.component);
        variables.extend(defaults.into_iter().filter(|variable| !is_set_by_user(&variable.name)));
        variables.push(Variable { name: LEASH.to_owned(), value: "stdin".to_owned() });
        variables
    }

    /// A warning for each variable of the user's that the launcher overrides.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let addresses =
            self.manifest.components().flat_map(|component| self.addresses(component.into()));
        let differs = |variable: &Variable| {
            env::var(&variable.name).is_ok_and(|users| users != variable.value)
        };
        addresses
            .filter(differs)
            .map(|Variable { name, value }| format!("{name} is ignored: `up` sets it to {value}"))
            .collect()
    }

    /// The variables that the user cannot override: where the program listens, and which bus it uses.
    fn addresses(&self, member: Member) -> Vec<Variable> {
        let component = member.component;
        let mut addresses = vec![self.variable(component, "LISTEN", &self.ports.public(member))];
        if self.manifest.provider(component).is_some() {
            let further = self.ports.further(component);
            addresses.extend(further.map(|(protocol, address)| {
                self.variable(component, &protocol.to_uppercase(), &address)
            }));
            addresses.push(self.variable(component, "DATA", &self.dir.path().display()));
            return addresses;
        }
        addresses.push(self.variable(component, "ADMIN_LISTEN", &self.ports.admin(member)));
        addresses.push(self.variable(component, "BUS__URL", &self.bus_url));
        if !self.namespace.is_empty() {
            addresses.push(self.variable(component, "BUS__NAMESPACE", &self.namespace));
        }
        addresses
    }

    /// The variables that the user can override.
    fn defaults(&self, component: Component) -> Vec<Variable> {
        let Some(service) = self.manifest.service(component) else { return Vec::new() };
        let mut defaults = vec![self.variable(component, "HTTP__HOSTS", &HOSTS)];
        let database = self.databases.get(&component);
        defaults.extend(database.map(|url| self.variable(component, "DATABASE__URL", url)));
        let partitions = self.manifest.topics.partitions;
        defaults
            .extend(partitions.map(|count| self.variable(component, "BUS__PARTITIONS", &count)));
        let settings = service.settings.iter();
        defaults.extend(settings.map(|(setting, value)| {
            let key = setting.to_uppercase().replace('.', "__");
            self.variable(component, &key, &filled(value, |reference| self.address(reference)))
        }));
        defaults
    }

    /// The URL that a reference in the manifest stands for.
    fn address(&self, reference: &Reference) -> Option<String> {
        let Reference { component, listener } = reference;
        if listener == "url" {
            return Some(format!("http://{}", self.ports.public(*component)));
        }
        let mut further = self.ports.further(*component);
        let (protocol, address) = further.find(|(protocol, _)| protocol == listener)?;
        Some(format!("{protocol}://{address}"))
    }
}

/// The database URL that the user's environment gives a service.
///
/// # Errors
/// If `…_FILE` names a file that cannot be read.
pub(crate) fn users_database(suite: &str, service: Component) -> Result<Option<String>> {
    let name = service.variable(suite, "DATABASE__URL");
    if let Ok(url) = env::var(&name) {
        return Ok(Some(url));
    }
    let Ok(file) = env::var(format!("{name}_FILE")) else {
        return Ok(None);
    };
    let url = std::fs::read_to_string(&file)
        .with_context(|| format!("{name}_FILE: cannot read {file}"))?;
    Ok(Some(url.trim().to_owned()))
}

/// The variables of this process that configure other programs than `component`. They are not passed on to it, since they
/// may contain secrets, such as a database URL with a password.
pub(crate) fn of_others(suite: &str, component: Component) -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(move |name| name.to_str().is_some_and(|text| is_of_others(text, suite, component)))
}

/// Whether a variable is a setting, `SUITE_PROGRAM__KEY`, of another program than `component`.
fn is_of_others(name: &str, suite: &str, component: Component) -> bool {
    let prefix = format!("{suite}_").to_uppercase().replace('-', "_");
    let setting = name.strip_prefix(&*prefix).is_some_and(|rest| rest.contains("__"));
    setting && !name.starts_with(&component.variable(suite, ""))
}

fn is_set_by_user(name: &str) -> bool {
    env::var_os(name).is_some() || env::var_os(format!("{name}_FILE")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::trip;
    use std::path::Path;

    fn variables(component: &str, namespace: &str) -> BTreeMap<String, String> {
        let dir = DataDir::at(Path::new("/data")).unwrap();
        let databases = [("flights".into(), "sqlite:/data/flights.db".to_owned())].into();
        let plan = Plan {
            manifest: trip(),
            dir: &dir,
            ports: Ports::of(trip(), Some(9200)).unwrap(),
            databases,
            bus_url: "log:/data/bus.db".to_owned(),
            namespace: namespace.to_owned(),
            replicas: 1,
        };
        let variables = plan.variables(Component::named(component).into());
        variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
    }

    #[test]
    fn a_service_gets_its_addresses_database_bus_and_providers() {
        let found = variables("flights", "");
        let expected = [
            ("TRIP_FLIGHTS__ADMIN_LISTEN", "127.0.0.1:9309"),
            ("TRIP_FLIGHTS__AIRLINE__URL", "http://127.0.0.1:9210/v1"),
            ("TRIP_FLIGHTS__BUS__PARTITIONS", "6"),
            ("TRIP_FLIGHTS__BUS__URL", "log:/data/bus.db"),
            ("TRIP_FLIGHTS__DATABASE__URL", "sqlite:/data/flights.db"),
            ("TRIP_FLIGHTS__HTTP__HOSTS", r#"["localhost","127.0.0.1"]"#),
            ("TRIP_FLIGHTS__LISTEN", "127.0.0.1:9201"),
            ("TRIP_FLIGHTS__SMTP__URL", "smtp://127.0.0.1:9211"),
            ("QUINTET_LEASH", "stdin"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(variables("flights", "t1-")["TRIP_FLIGHTS__BUS__NAMESPACE"], "t1-");
    }

    #[test]
    fn a_setting_belongs_to_the_program_that_it_names() {
        let (flights, booking) = (Component::named("flights"), Component::named("booking"));
        let url = "TRIP_FLIGHTS__DATABASE__URL";
        assert!(!is_of_others(url, "trip", flights));
        assert!(is_of_others(url, "trip", booking));
        assert!(is_of_others("TRIP_HOTELS__DATABASE__URL_FILE", "trip", booking));
        for name in ["PATH", "QUINTET_LEASH", "OTEL_EXPORTER_OTLP_ENDPOINT", "TOKIO_WORKER_THREADS"]
        {
            assert!(!is_of_others(name, "trip", booking), "{name}");
        }
    }

    #[test]
    fn a_provider_gets_its_addresses_and_its_data_directory() {
        let found = variables("airline", "t1-");
        let expected = [
            ("TRIP_AIRLINE__DATA", "/data"),
            ("TRIP_AIRLINE__LISTEN", "127.0.0.1:9210"),
            ("TRIP_AIRLINE__SMTP", "127.0.0.1:9211"),
            ("QUINTET_LEASH", "stdin"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
