//! How `up.json` is written: services and providers side by side.

use super::{Bus, Provider, Service, Suite};
use crate::component::Component;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A [`Suite`] as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct Described {
    #[serde(flatten)]
    components: IndexMap<Component, Either>,
    #[serde(default)]
    bus: Bus,
    #[serde(default)]
    control: Option<PathBuf>,
    #[serde(default)]
    pid: u32,
}

/// Only a service has an admin listener.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Service(Service),
    Provider(Provider),
}

impl From<Described> for Suite {
    fn from(described: Described) -> Self {
        let (mut services, mut providers) = (IndexMap::new(), IndexMap::new());
        for (name, either) in described.components {
            match either {
                Either::Service(mut service) => {
                    service.list_itself();
                    services.insert(name, service);
                }
                Either::Provider(provider) => drop(providers.insert(name, provider)),
            }
        }
        let Described { bus, control, pid, .. } = described;
        Self { services, providers, bus, control, pid }
    }
}

impl From<Suite> for Described {
    fn from(suite: Suite) -> Self {
        let services = suite.services.into_iter().map(|(name, it)| (name, Either::Service(it)));
        let providers = suite.providers.into_iter().map(|(name, it)| (name, Either::Provider(it)));
        let Suite { bus, control, pid, .. } = suite;
        Self { components: services.chain(providers).collect(), bus, control, pid }
    }
}
