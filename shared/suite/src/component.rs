//! The programs of a suite, by the names that its manifest gives them: services, and the providers that play the
//! outside world.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

/// The name of one of the programs of a suite. It is cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component(&'static str);

/// All names so far. They are never freed: a process knows about a dozen of them.
static NAMES: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

impl Component {
    /// The component of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        if let Some(known) = NAMES.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Self(known);
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return Self(known);
        }
        let name: &'static str = Box::leak(name.into());
        names.insert(name);
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The environment variable that sets a key of the component's configuration in the suite of this name, such as
    /// `TRIP_FLIGHTS__LISTEN`.
    #[must_use]
    pub fn variable(self, suite: &str, key: &str) -> String {
        format!("{suite}_{}__{key}", self.0).to_uppercase().replace('-', "_")
    }

    /// All processes of the component, if it has so many replicas.
    pub fn members(self, replicas: usize) -> impl Iterator<Item = Member> {
        (0..replicas).map(move |nth| Member { component: self, nth })
    }
}

/// Reads a name from the command line. It need not be a name of this suite, whose file is read later.
///
/// # Errors
/// If it is empty.
pub fn parse(text: &str) -> Result<Component, String> {
    if text.is_empty() { Err("give a name".to_owned()) } else { Ok(Component::named(text)) }
}

impl From<&str> for Component {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl PartialEq<str> for Component {
    fn eq(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl PartialEq<&str> for Component {
    fn eq(&self, name: &&str) -> bool {
        self.0 == *name
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::named(&String::deserialize(deserializer)?))
    }
}

/// One process of a suite: a replica of a component. The first replica has the name of the component, the second one
/// is called `booking-2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The component.
    pub component: Component,
    /// The number of the replica, counted from 0.
    pub nth: usize,
}

impl Member {
    /// The most replicas of a service. There are no ports for more.
    pub const MOST: usize = 9;
}

impl From<Component> for Member {
    fn from(component: Component) -> Self {
        Self { component, nth: 0 }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nth {
            0 => self.component.fmt(f),
            nth => write!(f, "{}-{}", self.component, nth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_component_also_in_json() {
        let flights = Component::named("flights");
        assert_eq!((flights, flights.name()), (Component::named("flights"), "flights"));
        assert_ne!(flights, Component::named("booking"));
        assert_eq!(serde_json::to_value(flights).unwrap(), "flights");
        assert_eq!(serde_json::from_value::<Component>("flights".into()).unwrap(), flights);
    }

    #[test]
    fn replicas_are_numbered_from_the_second() {
        let names: Vec<String> =
            Component::named("booking").members(3).map(|member| member.to_string()).collect();
        assert_eq!(names, ["booking", "booking-2", "booking-3"]);
    }

    #[test]
    fn a_variable_is_named_after_its_component() {
        let variable = |name| Component::named(name).variable("trip", "AIRLINE__URL");
        assert_eq!(variable("flights"), "TRIP_FLIGHTS__AIRLINE__URL");
        assert_eq!(variable("risk-check"), "TRIP_RISK_CHECK__AIRLINE__URL");
    }
}
