//! What each program is told by its environment. The user's own variables win, except over the
//! addresses, which the launcher must know.

use crate::component::{Component, Member};
use crate::datadir::DataDir;
use crate::manifest::{Manifest, Reference, filled};
use crate::ports::Ports;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

/// Everything that the programs' configuration is made of.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) manifest: &'static Manifest,
    pub(crate) dir: &'a DataDir,
    pub(crate) ports: Ports,
    /// One URL per service.
    pub(crate) databases: BTreeMap<Component, String>,
    pub(crate) bus_url: String,
    /// Prefix of topics, groups and databases; empty for none.
    pub(crate) namespace: String,
    /// Processes of each service.
    pub(crate) replicas: usize,
}

/// A variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The variable that names the pipe by which a program notices that its launcher has gone.
pub(crate) const LEASH: &str = "QUINTET_LEASH";
/// The names of a listener that only this machine reaches. Under any other name a web page asks, whose own name was made
/// to point here.
const HOSTS: &str = r#"["localhost","127.0.0.1"]"#;

impl Plan<'_> {
    fn variable(&self, component: Component, key: &str, value: &impl ToString) -> Variable {
        Variable { name: component.variable(&self.manifest.name, key), value: value.to_string() }
    }

    /// The variables that a program is started with on top of the launcher's own.
    pub(crate) fn variables(&self, member: Member) -> Vec<Variable> {
        let mut variables = self.addresses(member);
        let defaults = self.defaults(member.component);
        variables.extend(defaults.into_iter().filter(|it| !is_set_by_user(&it.name)));
        variables.push(Variable { name: LEASH.to_owned(), value: "stdin".to_owned() });
        variables
    }

    /// Variables of the user's that have no effect here, with what has.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let ours = self.manifest.components().flat_map(|it| self.addresses(it.into()));
        let differs = |it: &Variable| env::var(&it.name).is_ok_and(|theirs| theirs != it.value);
        ours.filter(differs)
            .map(|Variable { name, value }| format!("{name} is ignored: `up` sets it to {value}"))
            .collect()
    }

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

    fn defaults(&self, component: Component) -> Vec<Variable> {
        let Some(service) = self.manifest.service(component) else { return Vec::new() };
        let mut defaults = vec![self.variable(component, "HTTP__HOSTS", &HOSTS)];
        let database = self.databases.get(&component);
        defaults.extend(database.map(|url| self.variable(component, "DATABASE__URL", url)));
        let partitions = self.manifest.topics.partitions;
        defaults.extend(partitions.map(|it| self.variable(component, "BUS__PARTITIONS", &it)));
        let settings = service.settings.iter();
        defaults.extend(settings.map(|(setting, value)| {
            let key = setting.to_uppercase().replace('.', "__");
            self.variable(component, &key, &filled(value, |it| self.address(it)))
        }));
        defaults
    }

    /// The URL behind a reference in the manifest.
    fn address(&self, Reference { component, listener }: &Reference) -> Option<String> {
        if listener == "url" {
            return Some(format!("http://{}", self.ports.public(*component)));
        }
        let mut further = self.ports.further(*component);
        let (protocol, address) = further.find(|(protocol, _)| protocol == listener)?;
        Some(format!("{protocol}://{address}"))
    }
}

/// The database that the user's environment gives a service, if it does.
///
/// # Errors
/// When `…_FILE` names a file that cannot be read.
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

/// The variables of this process that configure other programs than this one: they may hold secrets, such as the URL of
/// a database with its password, which are none of this program's business.
pub(crate) fn of_others(suite: &str, component: Component) -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(move |name| name.to_str().is_some_and(|it| is_of_others(it, suite, component)))
}

/// Settings are named `SUITE_PROGRAM__KEY`.
fn is_of_others(name: &str, suite: &str, component: Component) -> bool {
    let suites = format!("{suite}_").to_uppercase().replace('-', "_");
    let setting = name.strip_prefix(&*suites).is_some_and(|rest| rest.contains("__"));
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
        variables.into_iter().map(|it| (it.name, it.value)).collect()
    }

    #[test]
    fn a_service_is_told_its_addresses_database_bus_and_providers() {
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
    fn a_provider_is_told_where_to_listen_and_to_keep_its_data() {
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
