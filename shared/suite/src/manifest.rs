//! `suite.toml`: the services and providers of a suite.

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

/// The parts of a suite: its services, the providers that play the outside world, and the demo data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The suite's name. Consumer groups and databases are named after it, such as `trip-booking` and `trip_booking`.
    pub name: String,
    /// The noun for an aggregate in messages, such as `trip`.
    #[serde(default = "aggregate")]
    pub aggregate: String,
    /// The port that `--port` replaces; all other ports move by the same distance. By default it is that of the first
    /// service.
    #[serde(default)]
    port: u16,
    /// The properties of topics that are created.
    #[serde(default)]
    pub topics: Topics,
    /// The services, in the order in which they are started.
    pub services: Vec<Service>,
    /// The providers, which play the outside world. They are stopped last, when no service sends them requests any more.
    #[serde(default)]
    pub providers: Vec<Provider>,
    /// The data for `up --demo`. Only the saga's own program knows its form.
    #[serde(default)]
    pub demo: serde_json::Value,
    /// The folder of the manifest, from which its relative paths start.
    #[serde(skip)]
    folder: PathBuf,
}

fn aggregate() -> String {
    "aggregate".to_owned()
}

/// The properties of topics that are created.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    /// The number of partitions; by default that of the services' own settings.
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
    /// The port of its admin listener; by default 100 above the public one.
    admin_port: Option<u16>,
    /// The program that runs it, and its arguments; by default this program with `service NAME`.
    #[serde(default)]
    start: Vec<String>,
    /// Settings that differ from the service's own defaults. The user's environment overrides them. `{NAME.url}` stands
    /// for the address of another component.
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
    /// The ports of its other listeners, by protocol, such as `smtp`.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// The path, such as `/rows`, at which it lists its rows in the form of a service's `/admin/rows`. `audit` reads these
    /// rows too.
    pub rows: Option<String>,
    /// The program that runs it, and its arguments; by default this program with `provider NAME`.
    #[serde(default)]
    start: Vec<String>,
}

/// A manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("--suite {file}: {why}")]
    File {
        /// The path of the file.
        file: String,
        /// The error of the system.
        why: std::io::Error,
    },
    /// The value of a key is wrong.
    #[error("{file}: {key}: {why}")]
    Key {
        /// The path of the file.
        file: String,
        /// The key.
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
    /// The name that `ps` shows.
    pub called: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Manifest {
    /// Reads the manifest in a file.
    ///
    /// # Errors
    /// If the file cannot be read, or a value in it is wrong.
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

    /// Parses the manifest that the program was built with.
    ///
    /// # Errors
    /// If a value in it is wrong.
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

    /// The port of the first service, unless `--port` gives another.
    #[must_use]
    pub const fn first_port(&self) -> u16 {
        self.port
    }

    /// The highest port of the manifest.
    #[must_use]
    pub fn highest_port(&self) -> u16 {
        self.ports().into_iter().map(|(_, port)| port).max().unwrap_or(self.port)
    }

    /// The names of the services.
    pub fn services(&self) -> impl Iterator<Item = Component> {
        self.services.iter().map(|service| service.name)
    }

    /// The names of the services, then those of the providers.
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

    /// All processes of a suite whose services have so many replicas. A provider has one process in any case, as there is
    /// only one outside world.
    pub fn members(&self, replicas: usize) -> impl Iterator<Item = Member> {
        let members = move |component| {
            let count = if self.provider(component).is_some() { 1 } else { replicas };
            component.members(count)
        };
        self.components().flat_map(members)
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
        // The system looks for a name without a slash in the user's PATH.
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
