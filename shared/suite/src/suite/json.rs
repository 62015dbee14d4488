//! The JSON of `up.json`, in which services and providers are members of the same object.

use super::{Bus, Provider, Service, Suite};
use crate::component::Component;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The JSON of a [`Suite`].
#[derive(Serialize, Deserialize)]
pub(super) struct UpJson {
    #[serde(flatten)]
    components: IndexMap<Component, Entry>,
    #[serde(default)]
    bus: Bus,
    #[serde(default)]
    control: Option<PathBuf>,
    #[serde(default)]
    pid: u32,
}

/// A component. An entry with an `admin_url` is read as a service, as a provider has none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Service(Service),
    Provider(Provider),
}

impl From<UpJson> for Suite {
    fn from(json: UpJson) -> Self {
        let (mut services, mut providers) = (IndexMap::new(), IndexMap::new());
        for (name, entry) in json.components {
            match entry {
                Entry::Service(mut service) => {
                    service.list_itself();
                    services.insert(name, service);
                }
                Entry::Provider(provider) => drop(providers.insert(name, provider)),
            }
        }
        let UpJson { bus, control, pid, .. } = json;
        Self { services, providers, bus, control, pid }
    }
}

impl From<Suite> for UpJson {
    fn from(suite: Suite) -> Self {
        let services =
            suite.services.into_iter().map(|(name, service)| (name, Entry::Service(service)));
        let providers =
            suite.providers.into_iter().map(|(name, provider)| (name, Entry::Provider(provider)));
        let Suite { bus, control, pid, .. } = suite;
        Self { components: services.chain(providers).collect(), bus, control, pid }
    }
}
