use std::path::{Path, PathBuf};

use crate::{Backend, services};

/// How a suite is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The suite's bus and databases.
    pub backend: Backend,
    /// Environment variables for its programs, beside those of the test itself.
    pub env: Vec<(String, String)>,
    /// The number of processes of each service.
    pub replicas: usize,
    /// Whether there are proxies before its servers, see [`TestSuite::proxies`](crate::TestSuite::proxies).
    pub behind_proxies: bool,
    /// Whether its services are built with crash points.
    pub crash_points: bool,
    /// The manifest, if it is not that of the order saga.
    pub manifest: Option<PathBuf>,
}

impl Options {
    /// The defaults, but without practical limits of quantities and open orders: all test orders have the same customer.
    #[must_use]
    pub fn on(backend: &Backend) -> Self {
        let unlimited =
            |limit: &str| (format!("QUINTET_ORDER__LIMITS__{limit}"), "100000000".to_owned());
        Self {
            backend: backend.clone(),
            env: vec![unlimited("QUANTITY"), unlimited("OPEN_ORDERS")],
            replicas: 1,
            behind_proxies: false,
            crash_points: false,
            manifest: None,
        }
    }

    /// Sets the number of processes of each service.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Puts proxies before its servers. Each service tells the proxy of Kafka its name by its client id.
    #[must_use]
    pub fn behind_proxies(mut self) -> Self {
        self.behind_proxies = true;
        services().into_iter().fold(self, |options, service| {
            options.env(&format!("QUINTET_{}__KAFKA__CLIENT_ID", service.to_uppercase()), service)
        })
    }

    /// Builds the services with crash points, and lets them abort at the points that this folder names.
    #[must_use]
    pub fn crash_points(mut self, folder: &Path) -> Self {
        self.crash_points = true;
        self.env(crash::FOLDER, &folder.display().to_string())
    }

    /// Takes the manifest from this file.
    #[must_use]
    pub fn manifest(mut self, file: &Path) -> Self {
        self.manifest = Some(file.to_owned());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}
