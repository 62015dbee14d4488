use std::path::{Path, PathBuf};

use crate::{Backend, services};

/// How a suite is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it stands on.
    pub backend: Backend,
    /// Variables that its programs get on top of the test's own.
    pub env: Vec<(String, String)>,
    /// Processes of each service.
    pub replicas: usize,
    /// Whether the ways to its servers can be cut, see [`Suite::ways`](crate::Suite::ways).
    pub behind_ways: bool,
    /// Whether its services are built with crash points.
    pub crash_points: bool,
    /// What it is made of, where that is not the usual.
    pub manifest: Option<PathBuf>,
}

impl Options {
    /// With everything as it comes, but that one customer may order as much as there is to test.
    #[must_use]
    pub fn on(backend: &Backend) -> Self {
        let most =
            |limit: &str| (format!("QUINTET_ORDER__LIMITS__{limit}"), "100000000".to_owned());
        Self {
            backend: backend.clone(),
            env: vec![most("QUANTITY"), most("OPEN_ORDERS")],
            replicas: 1,
            behind_ways: false,
            crash_points: false,
            manifest: None,
        }
    }

    /// With so many processes of each service.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// With ways to its servers that can be cut, on which each service goes by its name.
    #[must_use]
    pub fn behind_ways(mut self) -> Self {
        self.behind_ways = true;
        services().into_iter().fold(self, |this, service| {
            this.env(&format!("QUINTET_{}__KAFKA__CLIENT_ID", service.to_uppercase()), service)
        })
    }

    /// With services that die where this folder tells them to.
    #[must_use]
    pub fn crash_points(mut self, folder: &Path) -> Self {
        self.crash_points = true;
        self.env(crash::FOLDER, &folder.display().to_string())
    }

    /// Made of what this file says.
    #[must_use]
    pub fn manifest(mut self, file: &Path) -> Self {
        self.manifest = Some(file.to_owned());
        self
    }

    /// With one more variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}
