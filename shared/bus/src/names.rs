//! Topic and group names, at the broker with a namespace before them.

use crate::BusError;

/// What is put before every topic and group name at the broker, invisible to callers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// # Errors
    /// [`BusError::Settings`] if Kafka would not take it as part of a name.
    pub(crate) fn new(namespace: &str) -> Result<Self, BusError> {
        if namespace.chars().all(is_legal) {
            return Ok(Self(namespace.to_owned()));
        }
        Err(BusError::settings(
            "namespace",
            format!("{namespace:?} may hold only letters, digits, '.', '_' and '-'"),
        ))
    }

    /// The name at the broker.
    ///
    /// # Errors
    /// [`BusError::Settings`] if it is no name that Kafka and a file name could both hold.
    pub(crate) fn outer(&self, kind: &str, name: &str) -> Result<String, BusError> {
        const LONGEST: usize = 200;
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_legal) {
            let why =
                format!("{name:?} must be 1 to {LONGEST} letters, digits, '.', '_' and '-' long");
            return Err(BusError::settings(kind, why));
        }
        Ok(format!("{}{name}", self.0))
    }

    /// The caller's name of a topic at the broker.
    pub(crate) fn inner<'a>(&self, outer: &'a str) -> &'a str {
        outer.strip_prefix(&self.0).unwrap_or(outer)
    }

    /// An address, with the namespace if there is one.
    pub(crate) fn of(&self, address: &str) -> String {
        if self.0.is_empty() {
            return address.to_owned();
        }
        format!("{address} (namespace {})", self.0)
    }

    /// [`Namespace::outer`] of many topics.
    pub(crate) fn topics(&self, names: &[&str]) -> Result<Vec<String>, BusError> {
        names.iter().map(|name| self.outer("topic", name)).collect()
    }
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_goes_on_and_comes_off() {
        let namespace = Namespace::new("t1-").expect("legal");
        let outer = namespace.outer("topic", "trips").expect("legal");
        assert_eq!(outer, "t1-trips");
        assert_eq!(namespace.inner(&outer), "trips");
    }

    #[test]
    fn names_that_no_file_could_bear_are_refused() {
        assert!(Namespace::new("../").is_err());
        let plain = Namespace::new("").expect("legal");
        for name in ["", "a/b", "a b", "ä"] {
            assert!(plain.outer("group", name).is_err(), "{name:?}");
        }
    }
}
