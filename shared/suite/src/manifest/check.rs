//! What the types of a manifest let through.

use super::reference::{Piece, Reference, pieces};
use super::{Manifest, Service};
use crate::component::Component;
use std::collections::BTreeMap;

/// The key at fault, and what to write there.
type Fault = (String, String);

/// Keys of `up.json` that are no component's.
const TAKEN: [&str; 3] = ["bus", "control", "pid"];

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
        let found = self.providers.iter().position(|it| it.rows.as_ref().is_some_and(wrong));
        found.map_or(Ok(()), |nth| {
            let why = "give a path of this provider, such as \"/rows\"".to_owned();
            Err((format!("providers[{nth}].rows"), why))
        })
    }

    /// All components with their keys.
    fn keys(&self) -> impl Iterator<Item = (String, Component)> {
        let services = self.services.iter().enumerate();
        let services = services.map(|(nth, it)| (format!("services[{nth}]"), it.name));
        let providers = self.providers.iter().enumerate();
        services.chain(providers.map(|(nth, it)| (format!("providers[{nth}]"), it.name)))
    }

    fn check_names(&self) -> Result<(), Fault> {
        let mut known: BTreeMap<Component, String> = BTreeMap::new();
        for (key, name) in self.keys() {
            let wrong = |why: String| (format!("{key}.name"), why);
            check_name(name.name()).map_err(wrong)?;
            if TAKEN.contains(&name.name()) {
                return Err(wrong(format!("up.json has a key {name} already: give another name")));
            }
            if let Some(other) = known.insert(name, key.clone()) {
                return Err(wrong(format!("{other} is called {name} too: give each its own name")));
            }
        }
        Ok(())
    }

    /// Every port that the manifest gives, with its key and its owner.
    pub(super) fn ports(&self) -> Vec<(String, u16)> {
        let mut ports = Vec::new();
        for (nth, service) in self.services.iter().enumerate() {
            ports.push((format!("services[{nth}].port"), service.port));
            ports.push((format!("services[{nth}].admin_port"), service.admin_port()));
        }
        for (nth, provider) in self.providers.iter().enumerate() {
            ports.push((format!("providers[{nth}].port"), provider.port));
            let further = provider.ports.iter();
            ports.extend(further.map(|(it, port)| (format!("providers[{nth}].ports.{it}"), *port)));
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

    fn has(&self, Reference { component, listener }: &Reference) -> bool {
        let further = |it: &super::Provider| it.ports.contains_key(listener);
        match listener.as_str() {
            "url" => self.components().any(|it| it == *component),
            _ => self.provider(*component).is_some_and(further),
        }
    }
}

/// Names are part of host names, databases, groups and variables.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins_well && name.bytes().all(fits) && name.len() <= 32 {
        Ok(())
    } else {
        Err(format!("{name:?}: use at most 32 of a-z, 0-9 and `-`, a letter first"))
    }
}

/// What toml's error says, without the lines that it quotes, with the line that it means.
pub(super) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        format!(" (line {})", before.matches('\n').count() + 1)
    });
    let said: Vec<&str> = error.message().split_whitespace().collect();
    format!("{}{}", said.join(" "), line.unwrap_or_default())
}
