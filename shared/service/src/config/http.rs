//! The settings of the HTTP listeners.

use std::time::Duration;

use anyhow::{anyhow, bail};
use edge::{Hosts, Limits, Proxies, cap_connections, raise_handle_limit};
use serde::Deserialize;

use super::seconds;
use crate::http::{Room, Streams, Waiting};

/// The most connections that the admin listener has at once.
const ADMIN_CONNECTIONS: usize = 128;
/// A mebibyte.
const MIB: usize = 1 << 20;
/// The most mebibytes that a setting may name. It keeps their conversion into bytes from overflowing.
const MOST_MIB: usize = 1 << 20;

/// The limits of the HTTP listeners.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// The host names that the public listener answers; any if the list is empty.
    pub hosts: Vec<String>,
    /// The host names that the admin listener answers, beside addresses and names without a dot.
    pub admin_hosts: Vec<String>,
    /// The addresses and networks of proxies, whose `X-Forwarded-For` is believed.
    pub proxies: Vec<String>,
    /// The most connections of the public listener at once.
    pub connections: usize,
    /// The most connections of one client address that is no proxy; 0 for no limit.
    pub connections_per_address: usize,
    /// How long a connection may wait for its next request.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub idle_timeout: Duration,
    /// The most event streams at once.
    pub streams: usize,
    /// The most event streams of one client; 0 for no limit.
    pub streams_per_client: usize,
    /// The most listings that read the database at once.
    pub listings: usize,
    /// The most mebibytes of request bodies that have not arrived whole.
    pub bodies_mib: usize,
    /// The most mebibytes of listings that clients have not read yet.
    pub answers_mib: usize,
}

impl Http {
    /// Checks the values beyond their types.
    ///
    /// # Errors
    /// Naming the first setting that cannot be used.
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

    /// The limits of the public listener. It raises the process' limit of open files first.
    pub(crate) fn limits(&self) -> Limits {
        let (connections, per_address) = (self.connections(), self.connections_per_address);
        Limits { connections, per_address, idle: self.idle_timeout, ..Limits::default() }
    }

    /// The configured number of connections, or fewer where the limit of open files does not allow so many: each
    /// connection is an open file.
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

    /// The limits of the admin listener.
    pub(crate) fn admin_limits(&self) -> Limits {
        let (connections, idle) = (ADMIN_CONNECTIONS, self.idle_timeout);
        Limits { connections, health_connections: 0, per_address: 0, idle, ..Limits::default() }
    }

    /// The limits that requests share.
    ///
    /// # Errors
    /// If an entry of `proxies` is neither an address nor a network.
    pub fn room(&self) -> anyhow::Result<Room> {
        let streams = Streams { all: self.streams, each: self.streams_per_client };
        let waiting = Waiting { bodies: self.bodies_mib * MIB, answers: self.answers_mib * MIB };
        let room = Room::new(self.proxies()?, streams, self.listings, waiting);
        Ok(room.under(Hosts::public(&self.hosts), Hosts::private(&self.admin_hosts)))
    }
}

/// Whether the text has the form of a host: without scheme and port.
fn is_name(text: &str) -> bool {
    let ipv6 = text.parse::<std::net::Ipv6Addr>().is_ok();
    ipv6 || (!text.is_empty() && !text.contains([':', '/', ' ', '@']))
}
