//! The settings of a service where nothing else is given.

/// A service's settings as they are unless something else is given.
pub(crate) struct Defaults {
    /// What all services have.
    pub(super) shared: String,
    /// What it has of its own, and what it overrides.
    pub(super) own: &'static str,
    /// What its variables in the environment begin with.
    pub(super) prefix: String,
}

impl Defaults {
    /// Of the service of this name.
    pub(crate) fn new(namespace: &str, service: &str, own: &'static str) -> Self {
        let shared = include_str!("../../config.toml");
        let shared = shared.replace("{namespace}", namespace).replace("{service}", service);
        let prefix = format!("{namespace}_{service}__").to_uppercase().replace('-', "_");
        Self { shared, own, prefix }
    }

    /// All of them, as a settings file.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.own, self.shared)
    }
}
