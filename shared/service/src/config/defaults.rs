//! The default settings of a service.

/// The default settings of a service, and where its other settings come from.
pub(crate) struct Defaults {
    /// The TOML text of the settings that all services have.
    pub(crate) shared: String,
    /// The TOML text of the service's own settings, and of those that it overrides.
    pub(crate) own: &'static str,
    /// The prefix of the service's environment variables, such as `TRAVEL_BOOKING__`.
    pub(crate) prefix: String,
}

impl Defaults {
    /// The defaults of this service of this saga.
    pub(crate) fn new(namespace: &str, service: &str, own: &'static str) -> Self {
        let shared = include_str!("../../config.toml");
        let shared = shared.replace("{namespace}", namespace).replace("{service}", service);
        let prefix = format!("{namespace}_{service}__").to_uppercase().replace('-', "_");
        Self { shared, own, prefix }
    }

    /// All default settings as the text of a settings file.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.own, self.shared)
    }
}
