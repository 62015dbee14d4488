//! `up.json`: what runs where. All other commands and scripts read it.

mod file;
mod json;
#[cfg(test)]
pub(crate) mod tests;

use crate::component::{Component, Member};
use crate::control::Control;
use crate::datadir::DataDir;
use crate::http;
use crate::invocation;
use crate::manifest::Manifest;
use crate::ports::Ports;
use anyhow::{Context, Result, bail};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

pub(crate) use file::SuiteFile;
use json::UpJson;

/// A running suite, as `up.json` describes it. For a suite that `up` has not started, for example in containers, a file
/// with the URLs is enough: it has no launcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "UpJson", into = "UpJson")]
pub struct Suite {
    /// The services, in the order of the manifest.
    pub services: IndexMap<Component, Service>,
    /// The providers, which play the outside world.
    pub providers: IndexMap<Component, Provider>,
    /// The bus, which carries the events.
    pub bus: Bus,
    /// The path of the launcher's control socket, if `up` runs the suite.
    pub control: Option<PathBuf>,
    /// The launcher's process id.
    pub pid: u32,
}

/// A service. Its addresses and its process id are those of its first replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The public listener.
    pub url: String,
    /// The admin listener.
    pub admin_url: String,
    /// The process id; `None` while it is stopped.
    pub pid: Option<u32>,
    /// The service's database, as `sqlite:PATH` or `postgres://…`.
    #[serde(default)]
    pub database: String,
    /// All processes of the service, the first one included.
    #[serde(default)]
    pub replicas: Vec<Replica>,
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The public listener.
    pub url: String,
    /// The admin listener.
    pub admin_url: String,
    /// The process id; `None` while it does not run.
    pub pid: Option<u32>,
}

impl Service {
    /// Lists the service as its only replica if its file lists none: it has one process, or a load balancer in front of
    /// several.
    fn list_itself(&mut self) {
        if self.replicas.is_empty() {
            let (url, admin_url) = (self.url.clone(), self.admin_url.clone());
            self.replicas.push(Replica { url, admin_url, pid: self.pid });
        }
    }
}

/// A provider: a program that plays a part of the outside world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// The HTTP listener.
    pub url: String,
    /// The URLs of its other listeners, by protocol.
    #[serde(flatten)]
    pub further: BTreeMap<String, String>,
    /// The process id; `None` while it does not run.
    pub pid: Option<u32>,
}

/// The bus of a suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bus {
    /// `log` or `kafka`.
    pub kind: String,
    /// The URL, in the form of a service's setting `bus.url`.
    pub url: String,
    /// The prefix of the names of topics and groups.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// The launcher's answer to `GET /` on its control socket.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Launcher {
    /// Its process id.
    pub pid: u32,
    /// The programs that are down until the user starts them, and why.
    pub left_down: BTreeMap<Component, String>,
}

impl Launcher {
    /// Why a program is down until the user starts it; `None` if it is not.
    #[must_use]
    pub fn why_down(&self, component: Component) -> Option<String> {
        let why = self.left_down.get(&component)?;
        let start = invocation::command(&format!("start {component}"));
        Some(format!("{component} {why}: `{start}` starts it"))
    }
}

/// The parts of a suite that is about to be started.
#[derive(Debug)]
pub(crate) struct NewSuite<'a> {
    pub(crate) manifest: &'static Manifest,
    pub(crate) ports: Ports,
    /// The URL of each service's database.
    pub(crate) databases: &'a BTreeMap<Component, String>,
    /// The number of processes of each service.
    pub(crate) replicas: usize,
    pub(crate) bus: Bus,
    pub(crate) control: PathBuf,
}

impl Suite {
    /// A suite of which nothing runs yet.
    pub(crate) fn new(parts: NewSuite<'_>) -> Self {
        let NewSuite { manifest, ports, databases, replicas, bus, control } = parts;
        let service = |name: Component| {
            let replicas = name.members(replicas).map(|member| Replica {
                url: format!("http://{}", ports.public(member)),
                admin_url: format!("http://{}", ports.admin(member)),
                pid: None,
            });
            let url = format!("http://{}", ports.public(name));
            let admin_url = format!("http://{}", ports.admin(name));
            let database = databases.get(&name).cloned().unwrap_or_default();
            (name, Service { url, admin_url, pid: None, database, replicas: replicas.collect() })
        };
        let provider = |name: Component| {
            let further = ports.further(name);
            let further = further.map(|(protocol, address)| {
                (protocol.to_owned(), format!("{protocol}://{address}"))
            });
            let url = format!("http://{}", ports.public(name));
            (name, Provider { url, further: further.collect(), pid: None })
        };
        Self {
            services: manifest.services().map(service).collect(),
            providers: manifest.providers.iter().map(|listed| provider(listed.name)).collect(),
            bus,
            control: Some(control),
            pid: std::process::id(),
        }
    }

    /// The suite that runs on a data directory, and its launcher.
    ///
    /// # Errors
    /// If no suite runs there. A suite whose launcher is dead does not count.
    pub async fn running(dir: &DataDir) -> Result<(Self, Launcher)> {
        let shown = dir.shown().display();
        let none = || {
            let start = invocation::start(&dir.argument());
            let start = format!("start a suite with `{start}`");
            match dir.path().try_exists() {
                Ok(false) => format!("there is no directory {shown}: {start}"),
                _ if dir.path().is_dir() => format!("no suite is running on {shown}: {start}"),
                _ => format!("{shown} is not a directory: choose another one by --data"),
            }
        };
        let Some(suite) = Self::read(dir)? else { bail!(none()) };
        let Some(control) = &suite.control else { return Ok((suite, Launcher::default())) };
        // A process with the pid of `up.json` proves nothing: the system may have given that pid to another program.
        match Control::at(control)?.launcher().await {
            Ok(launcher) if launcher.pid == suite.pid => Ok((suite, launcher)),
            Err(http::Error::NoAnswer { timed_out: true, .. }) => {
                bail!("the suite on {shown} (pid {}) does not answer", suite.pid)
            }
            _ => bail!(none()),
        }
    }

    /// Reads `up.json`; `None` if there is no such file.
    ///
    /// # Errors
    /// If it cannot be read or parsed.
    pub fn read(dir: &DataDir) -> Result<Option<Self>> {
        let path = dir.suite_file();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let suite = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} was not written by this version", path.display()))?;
        Ok(Some(suite))
    }

    /// The services, then the providers.
    pub fn components(&self) -> impl Iterator<Item = Component> {
        self.services.keys().chain(self.providers.keys()).copied()
    }

    /// All processes of the suite.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        let replicas = |component: &Component| {
            self.services.get(component).map_or(1, |service| service.replicas.len())
        };
        self.components().flat_map(move |component| component.members(replicas(&component)))
    }

    /// The component of this name.
    ///
    /// # Errors
    /// If the suite has none; the error lists those that it has.
    pub fn component(&self, name: Component) -> Result<Component, Unknown> {
        let known = self.components().map(|component| component.to_string());
        if self.components().any(|component| component == name) {
            Ok(name)
        } else {
            Err(Unknown { name, known: known.collect() })
        }
    }

    /// The URL of a process; of a component it is that of its first replica. It is empty if there is no such process.
    #[must_use]
    pub fn url(&self, member: impl Into<Member>) -> &str {
        let Member { component, nth } = member.into();
        let replica = self.services.get(&component).and_then(|service| service.replicas.get(nth));
        let provider = || self.providers.get(&component).map_or("", |provider| &provider.url);
        replica.map_or_else(provider, |replica| &replica.url)
    }

    /// The URLs of all replicas of a service.
    #[must_use]
    pub fn urls(&self, service: Component) -> Vec<String> {
        let service = self.services.get(&service);
        let replicas = service.into_iter().flat_map(|service| &service.replicas);
        replicas.map(|replica| replica.url.clone()).collect()
    }

    /// The process id of a member, if it runs.
    #[must_use]
    pub fn pid(&self, Member { component, nth }: Member) -> Option<u32> {
        match self.services.get(&component) {
            Some(service) => service.replicas.get(nth)?.pid,
            None => self.providers.get(&component)?.pid,
        }
    }

    /// The bus and the databases of the suite in words, such as `on the log and SQLite`.
    #[must_use]
    pub fn stands_on(&self) -> String {
        let bus = match self.bus.kind.as_str() {
            "kafka" => "Kafka",
            _ => "the log",
        };
        let on_sqlite =
            self.services.values().all(|service| service.database.starts_with("sqlite:"));
        let databases = if on_sqlite { "SQLite" } else { "PostgreSQL" };
        format!("on {bus} and {databases}")
    }

    /// The ids of all processes that run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.members().filter_map(|member| self.pid(member)).collect()
    }

    fn set_pid(&mut self, Member { component, nth }: Member, pid: Option<u32>) {
        if let Some(provider) = self.providers.get_mut(&component) {
            provider.pid = pid;
        }
        let Some(service) = self.services.get_mut(&component) else { return };
        if nth == 0 {
            service.pid = pid;
        }
        if let Some(replica) = service.replicas.get_mut(nth) {
            replica.pid = pid;
        }
    }
}

impl Unknown {
    pub(crate) const fn of(name: Component, known: Vec<String>) -> Self {
        Self { name, known }
    }
}

/// The suite has no component of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {name} in this suite: give one of {}", known.join(", "))]
pub struct Unknown {
    name: Component,
    known: Vec<String>,
}
