//! `suite.toml`: what a suite is made of.

mod check;
mod reference;
#[cfg(test)]
pub(crate) mod tests;

pub use reference::Reference;
pub(crate) use reference::filled;

use crate::component::{Component, Member};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The distance from a service's public port to its admin port, unless the manifest gives one.
const ADMIN: u16 = 100;

/// What a suite is made of: its services, the providers that play the outside world, and what there is to begin with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The suite's name. Consumer groups and databases are named after it, such as `trip-booking` and `trip_booking`.
    pub name: String,
    /// What the events are about, as messages call it: a `trip`.
    #[serde(default = "aggregate")]
    pub aggregate: String,
    /// The port that `--port` moves, and all others with it; that of the first service unless given.
    #[serde(default)]
    port: u16,
    /// What topics are made with.
    #[serde(default)]
    pub topics: Topics,
    /// The services, in the order in which they are started.
    pub services: Vec<Service>,
    /// What plays the outside world. Providers stop last, when no service asks them any more.
    #[serde(default)]
    pub providers: Vec<Provider>,
    /// What `up --demo` brings. The suite's own program knows what it means.
    #[serde(default)]
    pub demo: serde_json::Value,
    /// The folder that relative paths are relative to.
    #[serde(skip)]
    folder: PathBuf,
}

fn aggregate() -> String {
    "aggregate".to_owned()
}

/// What topics are made with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    /// Partitions of each topic; what the services' own settings say unless given.
    pub partitions: Option<u16>,
}

/// A service of a suite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name, such as `booking`.
    pub name: Component,
    /// The port of its public listener.
    pub port: u16,
    /// The port of its admin listener; 100 above the public one unless given.
    admin_port: Option<u16>,
    /// The program and its arguments; `service NAME` of this program unless given.
    #[serde(default)]
    start: Vec<String>,
    /// Settings that differ from the service's own defaults. The user's environment goes over them. `{NAME.url}` is the
    /// address of another component.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// A provider of a suite: a program that plays a part of the outside world.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name, such as `airline`.
    pub name: Component,
    /// The port on which it answers over HTTP.
    pub port: u16,
    /// Further ports by the protocol that is spoken there, such as `smtp`.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// Where it lists what it has done, such as `/rows`, in the form in which services answer `/admin/rows`: `audit` reads
    /// these rows as well.
    pub rows: Option<String>,
    /// The program and its arguments; `provider NAME` of this program unless given.
    #[serde(default)]
    start: Vec<String>,
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("--suite {file}: {why}")]
    File {
        /// Which file.
        file: String,
        /// Why not.
        why: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}: {key}: {why}")]
    Key {
        /// Which file.
        file: String,
        /// Where in it.
        key: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
}

/// How a component is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The executable.
    pub program: PathBuf,
    /// What it is called, as `ps` shows it.
    pub called: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Manifest {
    /// Reads the manifest in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is wrong.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let file = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => {
                let folder = path.parent().map(Path::to_owned).unwrap_or_default();
                Self::parse(&file, &text, &folder)
            }
            Err(why) => Err(ManifestError::File { file, why }),
        }
    }

    /// Reads a manifest that the program was built with.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn built_in(text: &str) -> Result<Self, ManifestError> {
        Self::parse("suite.toml", text, Path::new(""))
    }

    fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, ManifestError> {
        let wrong = |key: &str, why: String| {
            let (file, key) = (file.to_owned(), key.to_owned());
            ManifestError::Key { file, key, why }
        };
        let mut manifest: Self = serde_path_to_error::deserialize(toml::Deserializer::new(text))
            .map_err(|error| {
                let key = error.path().to_string();
                let why = check::one_line(error.inner(), text);
                wrong(if key == "." { "the file" } else { &key }, why)
            })?;
        folder.clone_into(&mut manifest.folder);
        if manifest.port == 0 {
            manifest.port = manifest.services.first().map_or(0, |first| first.port);
        }
        manifest.check().map_err(|(key, why)| wrong(&key, why))?;
        Ok(manifest)
    }

    /// Where the first service listens unless told otherwise.
    #[must_use]
    pub const fn first_port(&self) -> u16 {
        self.port
    }

    /// The highest port that it gives.
    #[must_use]
    pub fn highest_port(&self) -> u16 {
        self.ports().into_iter().map(|(_, port)| port).max().unwrap_or(self.port)
    }

    /// The services.
    pub fn services(&self) -> impl Iterator<Item = Component> {
        self.services.iter().map(|service| service.name)
    }

    /// The services, then the providers.
    pub fn components(&self) -> impl Iterator<Item = Component> {
        self.services().chain(self.providers.iter().map(|provider| provider.name))
    }

    /// A service by its name.
    #[must_use]
    pub fn service(&self, name: Component) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// A provider by its name.
    #[must_use]
    pub fn provider(&self, name: Component) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// All processes of a suite whose services have so many replicas. Each provider is one process: there is one
    /// outside world.
    pub fn members(&self, replicas: usize) -> impl Iterator<Item = Member> {
        let of = move |component| {
            let count = if self.provider(component).is_some() { 1 } else { replicas };
            component.members(count)
        };
        self.components().flat_map(of)
    }

    /// The consumer group of a service.
    #[must_use]
    pub fn group(&self, service: &str) -> String {
        format!("{}-{service}", self.name)
    }

    /// How a component is started; `this` is the running program.
    #[must_use]
    pub fn start(&self, name: Component, this: &Path) -> Start {
        let (kind, command) = match (self.service(name), self.provider(name)) {
            (Some(service), _) => ("service", &service.start[..]),
            (None, Some(provider)) => ("provider", &provider.start[..]),
            (None, None) => ("service", &[][..]),
        };
        let Some((program, arguments)) = command.split_first() else {
            let called = this.file_name().map(|name| name.to_string_lossy().into_owned());
            let arguments = vec![kind.to_owned(), name.to_string()];
            let called = called.unwrap_or_else(|| self.name.clone());
            return Start { program: this.to_owned(), called, arguments };
        };
        // A name without a slash is looked for in the user's PATH.
        let path = if program.contains('/') { self.folder.join(program) } else { program.into() };
        Start { program: path, called: program.clone(), arguments: arguments.to_vec() }
    }
}

impl Service {
    /// The port of its admin listener.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        self.admin_port.unwrap_or(self.port.saturating_add(ADMIN))
    }
}
