//! The rules for a manifest beyond its types.

use super::reference::{Piece, Reference, pieces};
use super::{Manifest, Service};
use crate::component::Component;
use std::collections::BTreeMap;

/// The key with the wrong value, and what to write there.
type Fault = (String, String);

/// The keys of `up.json` beside the names of components. No component may have such a name.
const RESERVED: [&str; 3] = ["bus", "control", "pid"];

impl Manifest {
    pub(super) fn check(&self) -> Result<(), Fault> {
        check_name(&self.name).map_err(|why| ("name".to_owned(), why))?;
        if self.services.is_empty() {
            return Err(("services".to_owned(), "there is none: write [[services]]".to_owned()));
        }
        if self.topics.partitions == Some(0) {
            return Err(("topics.partitions".to_owned(), "give 1 or more".to_owned()));
        }
        self.check_names()?;
        self.check_ports()?;
        for (nth, service) in self.services.iter().enumerate() {
            self.check_settings(nth, service)?;
        }
        self.check_rows()
    }

    fn check_rows(&self) -> Result<(), Fault> {
        let wrong = |rows: &String| !rows.starts_with('/');
        let found =
            self.providers.iter().position(|provider| provider.rows.as_ref().is_some_and(wrong));
        found.map_or(Ok(()), |nth| {
            let why = "give a path of this provider, such as \"/rows\"".to_owned();
            Err((format!("providers[{nth}].rows"), why))
        })
    }

    /// All components, each with its key in the manifest.
    fn keys(&self) -> impl Iterator<Item = (String, Component)> {
        let services = self.services.iter().enumerate();
        let services = services.map(|(nth, service)| (format!("services[{nth}]"), service.name));
        let providers = self.providers.iter().enumerate();
        services
            .chain(providers.map(|(nth, provider)| (format!("providers[{nth}]"), provider.name)))
    }

    fn check_names(&self) -> Result<(), Fault> {
        let mut known: BTreeMap<Component, String> = BTreeMap::new();
        for (key, name) in self.keys() {
            let wrong = |why: String| (format!("{key}.name"), why);
            check_name(name.name()).map_err(wrong)?;
            if RESERVED.contains(&name.name()) {
                return Err(wrong(format!("up.json has a key {name} already: give another name")));
            }
            if let Some(other) = known.insert(name, key.clone()) {
                return Err(wrong(format!("{other} is called {name} too: give each its own name")));
            }
        }
        Ok(())
    }

    /// Every port of the manifest, with its key.
    pub(super) fn ports(&self) -> Vec<(String, u16)> {
        let mut ports = Vec::new();
        for (nth, service) in self.services.iter().enumerate() {
            ports.push((format!("services[{nth}].port"), service.port));
            ports.push((format!("services[{nth}].admin_port"), service.admin_port()));
        }
        for (nth, provider) in self.providers.iter().enumerate() {
            ports.push((format!("providers[{nth}].port"), provider.port));
            for (listener, port) in &provider.ports {
                ports.push((format!("providers[{nth}].ports.{listener}"), *port));
            }
        }
        ports
    }

    fn check_ports(&self) -> Result<(), Fault> {
        let mut known: BTreeMap<u16, String> = BTreeMap::new();
        for (key, port) in self.ports() {
            if port < self.port.max(1) {
                let first = self.port;
                return Err((
                    key,
                    format!("{port} lies before the first port, {first}: give a higher one"),
                ));
            }
            if let Some(other) = known.insert(port, key.clone()) {
                return Err((key, format!("{other} has port {port} too: give each its own")));
            }
        }
        Ok(())
    }

    fn check_settings(&self, nth: usize, service: &Service) -> Result<(), Fault> {
        for (setting, value) in &service.settings {
            let wrong = |why: String| (format!("services[{nth}].settings.{setting:?}"), why);
            for piece in pieces(value).map_err(wrong)? {
                if let Piece::Reference(reference) = piece
                    && !self.has(&reference)
                {
                    let Reference { component, listener } = reference;
                    return Err(wrong(format!(
                        "there is no {{{component}.{listener}}}: name a component of this file, and \
                         url or one of a provider's ports"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether the manifest has the component and the listener of a reference.
    fn has(&self, reference: &Reference) -> bool {
        let Reference { component, listener } = reference;
        let further = |provider: &super::Provider| provider.ports.contains_key(listener);
        match listener.as_str() {
            "url" => self.components().any(|known| known == *component),
            _ => self.provider(*component).is_some_and(further),
        }
    }
}

/// Checks a name. It becomes part of host names, and of the names of databases, groups and variables.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins_well && name.bytes().all(fits) && name.len() <= 32 {
        Ok(())
    } else {
        Err(format!("{name:?}: use at most 32 of a-z, 0-9 and `-`, a letter first"))
    }
}

/// The message of a TOML error in one line: with the number of the line that is wrong, without a copy of it.
pub(super) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        format!(" (line {})", before.matches('\n').count() + 1)
    });
    let words: Vec<&str> = error.message().split_whitespace().collect();
    format!("{}{}", words.join(" "), line.unwrap_or_default())
}
