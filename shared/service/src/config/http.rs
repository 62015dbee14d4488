use std::time::Duration;

use anyhow::{anyhow, bail};
use edge::{Hosts, Limits, Proxies, cap_connections, raise_handle_limit};
use serde::Deserialize;

use super::seconds;
use crate::http::{Room, Streams, Waiting};

/// Connections of the admin listener at once.
const ADMIN_CONNECTIONS: usize = 128;
/// A mebibyte.
const MIB: usize = 1 << 20;
/// The most mebibytes that a setting may say, so that their bytes can be counted.
const MOST_MIB: usize = 1 << 20;

/// What clients may take of the listeners.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// The names that the public listener is asked under; none for any.
    pub hosts: Vec<String>,
    /// The names that the admin listener is asked under, beside addresses and names without a dot.
    pub admin_hosts: Vec<String>,
    /// Addresses and networks of proxies, whose `X-Forwarded-For` is believed.
    pub proxies: Vec<String>,
    /// Connections of the public listener at once.
    pub connections: usize,
    /// Connections of one client address that is no proxy; 0 for no limit.
    pub connections_per_address: usize,
    /// How long a connection may wait for its next request.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub idle_timeout: Duration,
    /// Event streams at once.
    pub streams: usize,
    /// Event streams of one client; 0 for no limit.
    pub streams_per_client: usize,
    /// Listings that read the database at once.
    pub listings: usize,
    /// Mebibytes of request bodies that are not read whole yet.
    pub bodies_mib: usize,
    /// Mebibytes of listings that clients have not read yet.
    pub answers_mib: usize,
}

impl Http {
    /// Refuses what the types let through.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let positive = [
            ("connections", self.connections),
            ("streams", self.streams),
            ("listings", self.listings),
            ("bodies_mib", self.bodies_mib),
            ("answers_mib", self.answers_mib),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            bail!("http.{name} must be more than 0");
        }
        if self.bodies_mib.max(self.answers_mib) > MOST_MIB {
            bail!("http.bodies_mib and http.answers_mib must be {MOST_MIB} at most");
        }
        if self.idle_timeout.is_zero() {
            bail!("http.idle_timeout must be more than 0");
        }
        for (setting, names) in [("hosts", &self.hosts), ("admin_hosts", &self.admin_hosts)] {
            if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
                bail!("http.{setting} has {wrong:?}: give names of hosts without scheme and port");
            }
        }
        self.proxies().map(drop)
    }

    pub(crate) fn proxies(&self) -> anyhow::Result<Proxies> {
        Proxies::parse(&self.proxies).map_err(|wrong| {
            anyhow!("http.proxies has {wrong:?}: give addresses or networks, as in 10.0.0.0/8")
        })
    }

    /// The public listener's limits, after as many file handles as may be are taken.
    pub(crate) fn limits(&self) -> Limits {
        let (connections, per_address) = (self.connections(), self.connections_per_address);
        Limits { connections, per_address, idle: self.idle_timeout, ..Limits::default() }
    }

    /// As many connections as are wanted and the file handles allow: each connection is one.
    fn connections(&self) -> usize {
        let handles = raise_handle_limit().unwrap_or_else(|error| {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            None
        });
        let connections = cap_connections(self.connections, ADMIN_CONNECTIONS, handles);
        if connections < self.connections {
            tracing::warn!(
                "http.connections = {} is more than the limit of open files allows: the public listener \
                 takes {connections} at once; raise the limit (ulimit -n)",
                self.connections
            );
        }
        connections
    }

    /// The admin listener's limits.
    pub(crate) fn admin_limits(&self) -> Limits {
        let (connections, idle) = (ADMIN_CONNECTIONS, self.idle_timeout);
        Limits { connections, health_connections: 0, per_address: 0, idle, ..Limits::default() }
    }

    /// What requests share.
    ///
    /// # Errors
    /// If a proxy is no address and no network.
    pub fn room(&self) -> anyhow::Result<Room> {
        let streams = Streams { all: self.streams, each: self.streams_per_client };
        let waiting = Waiting { bodies: self.bodies_mib * MIB, answers: self.answers_mib * MIB };
        let room = Room::new(self.proxies()?, streams, self.listings, waiting);
        Ok(room.under(Hosts::public(&self.hosts), Hosts::private(&self.admin_hosts)))
    }
}

/// Whether this could be a host: no scheme, no port.
fn is_name(text: &str) -> bool {
    let ipv6 = text.parse::<std::net::Ipv6Addr>().is_ok();
    ipv6 || (!text.is_empty() && !text.contains([':', '/', ' ', '@']))
}
