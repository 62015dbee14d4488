//! `up.json`: what runs where, for every other command and for scripts.

#[cfg(test)]
mod containers;
mod file;
#[cfg(test)]
mod tests;

use crate::control::Control;
use crate::datadir::DataDir;
use crate::http;
use crate::invocation;
use crate::ports::Ports;
use crate::program::{Member, Program};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

pub(crate) use file::SuiteFile;

/// A running suite, as `up.json` describes it. Where others run it, in containers say, a file with
/// the URLs alone will do: there is no launcher then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Suite {
    #[serde(flatten)]
    pub(crate) services: BTreeMap<Program, Service>,
    pub(crate) sandbox: Sandbox,
    #[serde(default)]
    pub(crate) bus: Bus,
    /// The path of the launcher's control socket, if `quintet up` runs the suite.
    #[serde(default)]
    pub(crate) control: Option<PathBuf>,
    /// The launcher's process id.
    #[serde(default)]
    pub(crate) pid: u32,
}

/// One of the five services; the fields are its first replica's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    /// `None` while it is stopped.
    pub(crate) pid: Option<u32>,
    #[serde(default)]
    pub(crate) database: String,
    #[serde(default)]
    pub(crate) replicas: Vec<Replica>,
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Replica {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    pub(crate) pid: Option<u32>,
}

impl Service {
    /// A service without a list of replicas is its own only one, or hides them behind one name.
    fn list_itself(&mut self) {
        if self.replicas.is_empty() {
            let (url, admin_url) = (self.url.clone(), self.admin_url.clone());
            self.replicas.push(Replica { url, admin_url, pid: self.pid });
        }
    }
}

/// The outside world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) smtp: String,
    pub(crate) pid: Option<u32>,
}

/// What carries the events, and what stands before the names of its topics and groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bus {
    /// `log` or `kafka`.
    pub(crate) kind: String,
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
}

/// What the launcher answers to `GET /` on its control socket.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Launcher {
    pub(crate) pid: u32,
    /// The programs that do not run until the user starts them, and why.
    pub(crate) left_down: BTreeMap<Program, String>,
}

impl Launcher {
    /// Why a program does not run, if nobody will start it but the user.
    pub(crate) fn why_down(&self, program: Program) -> Option<String> {
        let why = self.left_down.get(&program)?;
        let start = invocation::command(&format!("start {program}"));
        Some(format!("{program} {why}: `{start}` starts it"))
    }
}

impl Suite {
    /// A suite of which nothing runs yet. `databases` holds one URL per service.
    pub(crate) fn new(
        ports: Ports,
        (databases, replicas): (&BTreeMap<Program, String>, usize),
        bus_url: &str,
        control: PathBuf,
    ) -> Self {
        let services = databases
            .iter()
            .map(|(&service, database)| {
                let replicas = Member::of(service, replicas).map(|member| Replica {
                    url: format!("http://{}", ports.public(member)),
                    admin_url: format!("http://{}", ports.admin(member)),
                    pid: None,
                });
                let url = format!("http://{}", ports.public(service));
                let admin_url = format!("http://{}", ports.admin(service));
                let (database, replicas) = (database.clone(), replicas.collect());
                (service, Service { url, admin_url, pid: None, database, replicas })
            })
            .collect();
        let kind = bus_url.split(':').next().unwrap_or_default().to_owned();
        Self {
            services,
            sandbox: Sandbox {
                url: format!("http://{}", ports.public(Program::Sandbox)),
                smtp: format!("smtp://{}", ports.smtp()),
                pid: None,
            },
            bus: Bus { kind, url: bus_url.to_owned(), ..Bus::default() },
            control: Some(control),
            pid: std::process::id(),
        }
    }

    /// The suite that runs on a data directory, and what its launcher says.
    ///
    /// # Errors
    /// When none does, also when one did whose launcher is dead.
    pub(crate) async fn running(dir: &DataDir) -> Result<(Self, Launcher)> {
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
        // The process id alone could be another's by now.
        match Control::at(control)?.launcher().await {
            Ok(launcher) if launcher.pid == suite.pid => Ok((suite, launcher)),
            Err(http::Error::NoAnswer { timed_out: true, .. }) => {
                bail!("the suite on {shown} (pid {}) does not answer", suite.pid)
            }
            _ => bail!(none()),
        }
    }

    /// What `up.json` says, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub(crate) fn read(dir: &DataDir) -> Result<Option<Self>> {
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
        let mut suite: Self = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} was not written by this version", path.display()))?;
        suite.services.values_mut().for_each(Service::list_itself);
        Ok(Some(suite))
    }

    /// The URL of a program, of several replicas the first one's unless told otherwise.
    pub(crate) fn url(&self, member: impl Into<Member>) -> &str {
        let Member { program, nth } = member.into();
        let replica = self.services.get(&program).and_then(|service| service.replicas.get(nth));
        replica.map_or(&self.sandbox.url, |replica| &replica.url)
    }

    /// The URLs of all replicas of a service.
    pub(crate) fn urls(&self, service: Program) -> Vec<String> {
        let service = self.services.get(&service);
        let replicas = service.into_iter().flat_map(|service| &service.replicas);
        replicas.map(|replica| replica.url.clone()).collect()
    }

    /// What is behind it, as in `on the log and SQLite`.
    pub(crate) fn stands_on(&self) -> String {
        let bus = match self.bus.kind.as_str() {
            "kafka" => "Kafka",
            _ => "the log",
        };
        let on_sqlite = self.services.values().all(|it| it.database.starts_with("sqlite:"));
        let databases = if on_sqlite { "SQLite" } else { "PostgreSQL" };
        format!("on {bus} and {databases}")
    }

    /// The process ids of all that runs.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let replicas = self.services.values().flat_map(|service| &service.replicas);
        replicas.filter_map(|replica| replica.pid).chain(self.sandbox.pid).collect()
    }

    fn set_pid(&mut self, Member { program, nth }: Member, pid: Option<u32>) {
        let Some(service) = self.services.get_mut(&program) else {
            self.sandbox.pid = pid;
            return;
        };
        if nth == 0 {
            service.pid = pid;
        }
        if let Some(replica) = service.replicas.get_mut(nth) {
            replica.pid = pid;
        }
    }
}
