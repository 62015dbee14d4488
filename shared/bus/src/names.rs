//! Names of topics and groups. At the broker they have the namespace as a prefix.

use crate::BusError;

/// The prefix of every topic and group name at the broker. Callers never see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// Checks and keeps a namespace.
    ///
    /// # Errors
    /// [`BusError::Settings`] if Kafka would not accept it as part of a name.
    pub(crate) fn new(namespace: &str) -> Result<Self, BusError> {
        if namespace.chars().all(is_legal) {
            return Ok(Self(namespace.to_owned()));
        }
        Err(BusError::settings(
            "namespace",
            format!("{namespace:?} may hold only letters, digits, '.', '_' and '-'"),
        ))
    }

    /// The name at the broker of a topic or group, which `kind` says.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the name does not fit into both a name of Kafka and the name of a file.
    pub(crate) fn outer(&self, kind: &str, name: &str) -> Result<String, BusError> {
        const LONGEST: usize = 200;
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_legal) {
            let why =
                format!("{name:?} must be 1 to {LONGEST} letters, digits, '.', '_' and '-' long");
            return Err(BusError::settings(kind, why));
        }
        Ok(format!("{}{name}", self.0))
    }

    /// The caller's name of a topic or group, whose name at the broker is `outer`.
    pub(crate) fn inner<'a>(&self, outer: &'a str) -> &'a str {
        outer.strip_prefix(&self.0).unwrap_or(outer)
    }

    /// An address for messages, with the namespace if there is one.
    pub(crate) fn of(&self, address: &str) -> String {
        if self.0.is_empty() {
            return address.to_owned();
        }
        format!("{address} (namespace {})", self.0)
    }

    /// The names at the broker of these topics.
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
    fn a_namespace_is_put_before_a_name_and_removed_again() {
        let namespace = Namespace::new("t1-").expect("legal");
        let outer = namespace.outer("topic", "trips").expect("legal");
        assert_eq!(outer, "t1-trips");
        assert_eq!(namespace.inner(&outer), "trips");
    }

    #[test]
    fn names_that_no_file_could_have_are_refused() {
        assert!(Namespace::new("../").is_err());
        let plain = Namespace::new("").expect("legal");
        for name in ["", "a/b", "a b", "ä"] {
            assert!(plain.outer("group", name).is_err(), "{name:?}");
        }
    }
}
