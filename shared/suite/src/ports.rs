//! The ports of all processes of a suite, on the loopback interface.

use crate::component::{Component, Member};
use crate::manifest::Manifest;
use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports of a suite: those of its manifest, all moved by the same distance, so that the first service has the port
/// that the user chose.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    manifest: &'static Manifest,
    first: u16,
}

/// The distance from the ports of the first replicas to those of the second.
const SECOND: u16 = 20;
/// The distance from the ports of the second replicas to those of the third, and so on.
const NEXT: u16 = 10;

/// A port cannot be had, because another process listens there or the system refuses it.
#[derive(Debug, thiserror::Error)]
#[error("port {port} for {owner}: {why}; choose others with `up --port N`")]
pub struct PortTaken {
    port: u16,
    owner: String,
    why: std::io::ErrorKind,
}

/// The address of a listener of the suite.
#[derive(Debug)]
struct Owned {
    /// The listener, in words.
    owner: String,
    address: SocketAddr,
}

impl Ports {
    /// The highest first port that leaves room for the other ports of a usual manifest.
    pub const HIGHEST: u16 = u16::MAX - 200;

    /// The ports of a suite from `first` on, or those of its manifest.
    ///
    /// # Errors
    /// If `first` leaves no room for the other ports.
    pub fn of(manifest: &'static Manifest, first: Option<u16>) -> Result<Self> {
        let ports = Self { manifest, first: first.unwrap_or(manifest.first_port()) };
        let room = manifest.highest_port() - manifest.first_port() + replica(Member::MOST - 1);
        let highest = u16::MAX - room;
        if ports.first > highest {
            bail!("--port {}: leaves no room for all ports: give {highest} at most", ports.first);
        }
        Ok(ports)
    }

    /// The HTTP listener of a process; of a component it is that of its first replica.
    #[must_use]
    pub fn public(self, member: impl Into<Member>) -> SocketAddr {
        let Member { component, nth } = member.into();
        let of_service = self.manifest.service(component).map(|service| service.port);
        let port =
            of_service.or_else(|| self.manifest.provider(component).map(|provider| provider.port));
        self.moved(port.unwrap_or_default(), nth)
    }

    /// The admin listener of a service.
    #[must_use]
    pub fn admin(self, service: impl Into<Member>) -> SocketAddr {
        let Member { component, nth } = service.into();
        let port = self.manifest.service(component).map(crate::manifest::Service::admin_port);
        self.moved(port.unwrap_or_default(), nth)
    }

    /// The other listeners of a provider: their protocols and addresses.
    pub fn further(self, provider: Component) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let manifest: &'static Manifest = self.manifest;
        let ports = manifest.provider(provider).into_iter().flat_map(|provider| &provider.ports);
        ports.map(move |(protocol, port)| (protocol.as_str(), self.moved(*port, 0)))
    }

    /// Checks that all ports that so many replicas need are free, by binding them.
    ///
    /// # Errors
    /// The first port that cannot be bound.
    pub fn check_free(self, replicas: usize) -> Result<(), PortTaken> {
        // They are bound at the same time, so that two listeners of the suite with the same port are found too.
        let bound = self.all(replicas).into_iter().map(|Owned { owner, address }| {
            let (port, bound) = (address.port(), TcpListener::bind(address));
            bound.map_err(|error| PortTaken { port, owner, why: error.kind() })
        });
        bound.collect::<Result<Vec<_>, _>>().map(drop)
    }

    fn all(self, replicas: usize) -> Vec<Owned> {
        let mut all = Vec::new();
        for member in self.manifest.members(replicas) {
            all.push(Owned { owner: member.to_string(), address: self.public(member) });
        }
        let services = |member: &Member| self.manifest.service(member.component).is_some();
        for member in self.manifest.members(replicas).filter(services) {
            all.push(Owned { owner: format!("{member}'s admin"), address: self.admin(member) });
        }
        for provider in &self.manifest.providers {
            let further = self.further(provider.name);
            all.extend(further.map(|(protocol, address)| Owned {
                owner: format!("{}'s {protocol}", provider.name),
                address,
            }));
        }
        all
    }

    fn moved(self, port: u16, nth: usize) -> SocketAddr {
        // It cannot saturate: `Ports::of` has checked that there is room.
        let port = port.saturating_sub(self.manifest.first_port()).saturating_add(self.first);
        let address = Ipv4Addr::LOCALHOST;
        SocketAddr::new(address.into(), port.saturating_add(replica(nth)))
    }
}

/// The distance from the ports of the first replica to those of the nth.
fn replica(nth: usize) -> u16 {
    match nth.min(Member::MOST) {
        0 => 0,
        nth => SECOND + NEXT * u16::try_from(nth - 1).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::trip;
    use std::collections::BTreeSet;

    fn component(name: &str) -> Component {
        Component::named(name)
    }

    #[test]
    fn the_ports_of_the_manifest_move_together() {
        let ports = Ports::of(trip(), None).unwrap();
        assert_eq!(ports.public(component("flights")).port(), 9001);
        assert_eq!(ports.admin(component("flights")).port(), 9109);
        let moved = Ports::of(trip(), Some(20_000)).unwrap();
        assert_eq!(moved.public(component("flights")).port(), 20_001);
        assert_eq!(moved.admin(component("booking")).port(), 20_100);
        let smtp: Vec<_> = moved.further(component("airline")).collect();
        assert_eq!(smtp, [("smtp", "127.0.0.1:20011".parse().unwrap())]);
        let third = Member { component: component("booking"), nth: 2 };
        assert_eq!(moved.public(third).port(), 20_030);
        let refused = Ports::of(trip(), Some(u16::MAX)).unwrap_err().to_string();
        assert_eq!(refused, "--port 65535: leaves no room for all ports: give 65336 at most");
    }

    #[test]
    fn no_two_listeners_share_a_port() {
        let all = Ports::of(trip(), None).unwrap().all(Member::MOST);
        let distinct: BTreeSet<u16> = all.iter().map(|listener| listener.address.port()).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_error_of_a_taken_port_names_its_service_and_the_fix() {
        let (ports, _listener) = (20_000..60_000)
            .step_by(200)
            .find_map(|first| {
                let ports = Ports::of(trip(), Some(first)).unwrap();
                ports.check_free(1).ok()?;
                Some((ports, TcpListener::bind(ports.admin(component("booking"))).ok()?))
            })
            .expect("some stretch of ports is free");
        let text = ports.check_free(1).unwrap_err().to_string();
        let port = ports.admin(component("booking")).port().to_string();
        let named = [port.as_str(), "booking's admin", "--port"];
        assert!(named.iter().all(|part| text.contains(part)), "{text}");
    }
}
