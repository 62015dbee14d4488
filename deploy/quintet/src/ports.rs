//! Which port everybody listens on, all on the loopback interface.

use crate::program::{Member, Program};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports of a suite, counted from the order service's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    first: u16,
}

/// The distance from a service's public port to its admin port.
const ADMIN: u16 = 100;
const SANDBOX: u16 = 10;
const SMTP: u16 = 11;
/// From the first replicas' ports to the second's, and from each to the next.
const SECOND: u16 = 20;
const NEXT: u16 = 10;

/// A port that somebody else holds.
#[derive(Debug, thiserror::Error)]
#[error("port {port} for {owner}: {why}; choose others with `up --port N`")]
pub(crate) struct PortTaken {
    pub(crate) port: u16,
    owner: String,
    why: std::io::ErrorKind,
}

impl Ports {
    /// Where the order service listens unless told otherwise.
    pub(crate) const DEFAULT: u16 = 8080;
    /// The highest first port that leaves room for the others.
    pub(crate) const HIGHEST: u16 = u16::MAX - 2 * ADMIN;

    /// The ports from `first` on, which is at most [`Self::HIGHEST`].
    pub(crate) const fn from(first: u16) -> Self {
        Self { first }
    }

    /// Where its users reach a program, of several replicas the first unless told otherwise.
    pub(crate) fn public(self, member: impl Into<Member>) -> SocketAddr {
        let Member { program, nth } = member.into();
        let offset = match program {
            Program::Order => 0,
            Program::Inventory => 1,
            Program::Payment => 2,
            Program::Shipping => 3,
            Program::Notification => 4,
            Program::Sandbox => SANDBOX,
        };
        let replica = match nth.min(Member::MOST) {
            0 => 0,
            nth => SECOND + NEXT * u16::try_from(nth - 1).unwrap_or(0),
        };
        loopback(self.first + offset + replica)
    }

    /// Where operators reach a service.
    pub(crate) fn admin(self, service: impl Into<Member>) -> SocketAddr {
        loopback(self.public(service).port() + ADMIN)
    }

    /// Where the sandbox takes mail.
    pub(crate) const fn smtp(self) -> SocketAddr {
        loopback(self.first + SMTP)
    }

    /// Tries all that so many replicas need.
    ///
    /// # Errors
    /// The first one that cannot be bound.
    pub(crate) fn check_free(self, replicas: usize) -> Result<(), PortTaken> {
        for (owner, address) in self.all(replicas) {
            TcpListener::bind(address).map_err(|error| PortTaken {
                port: address.port(),
                owner,
                why: error.kind(),
            })?;
        }
        Ok(())
    }

    fn all(self, replicas: usize) -> Vec<(String, SocketAddr)> {
        let public = Member::all(replicas).map(|member| (member.to_string(), self.public(member)));
        let services = Member::all(replicas).filter(|member| member.program != Program::Sandbox);
        let admin = services.map(|it| (format!("{it}'s admin"), self.admin(it)));
        let smtp = ("sandbox's mail".to_owned(), self.smtp());
        public.chain(admin).chain([smtp]).collect()
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let ports = Ports::from(Ports::DEFAULT);
        let public = Program::ALL.map(|program| ports.public(program).port());
        assert_eq!(public, [8080, 8081, 8082, 8083, 8084, 8090]);
        let admin = Program::SERVICES.map(|service| ports.admin(service).port());
        assert_eq!(admin, [8180, 8181, 8182, 8183, 8184]);
        assert_eq!(ports.smtp().port(), 8091);
    }

    #[test]
    fn no_two_share_a_port_and_the_highest_leaves_room() {
        let all = Ports::from(Ports::HIGHEST).all(Member::MOST);
        let distinct: BTreeSet<u16> = all.iter().map(|(_, address)| address.port()).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_taken_port_is_named_with_its_service_and_the_way_out() {
        let (ports, _held) = (20_000..60_000)
            .step_by(200)
            .find_map(|first| {
                let ports = Ports::from(first);
                ports.check_free(1).ok()?;
                Some((ports, TcpListener::bind(ports.admin(Program::Payment)).ok()?))
            })
            .expect("some stretch of ports is free");
        let text = ports.check_free(1).unwrap_err().to_string();
        let port = ports.admin(Program::Payment).port().to_string();
        assert!(
            text.contains(&port) && text.contains("payment") && text.contains("--port"),
            "{text}"
        );
    }
}
