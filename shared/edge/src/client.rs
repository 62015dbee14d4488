use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The connection of a request. The server adds it to each request as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address of the other end.
    pub address: IpAddr,
    /// Whether the other end is a proxy, which names the client in `X-Forwarded-For`.
    pub is_proxy: bool,
    /// Whether the listener is full, so that the connection may only ask for health.
    pub health_only: bool,
}

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses (`192.0.2.7`) and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        let parse_one = |text: &T| {
            let text = text.as_ref();
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| text.to_owned())
        };
        texts.iter().map(parse_one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a proxy has this address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address.to_canonical()))
    }

    /// The client of a request. Behind a proxy it is the last address in `X-Forwarded-For` that is not a proxy.
    /// The client itself may have written the addresses before that one. An IPv6 client is its /64 network.
    #[must_use]
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.address;
        if peer.is_proxy {
            let hops = headers.get_all("x-forwarded-for").into_iter().rev();
            let hops = hops.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
            for hop in hops {
                let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
                client = address;
                if !self.contain(address) {
                    break;
                }
            }
        }
        network(client)
    }
}

/// The address that quotas count. For IPv6 it is the /64 network, in which a host may have any number of
/// addresses.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = Proxies::parse(&["127.0.0.0/8", "10.0.0.1"]).unwrap();
        let address = peer.parse().unwrap();
        let peer = Peer { address, is_proxy: proxies.contain(address), health_only: false };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        proxies.client(peer, &headers).to_string()
    }

    #[test]
    fn only_a_proxy_is_trusted_to_name_the_client() {
        assert_eq!(client("192.0.2.7", &["203.0.113.1"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["nonsense"]), "127.0.0.1");
    }

    #[test]
    fn addresses_that_the_client_wrote_itself_are_ignored() {
        let spoofed = ["198.51.100.9, 203.0.113.1, 10.0.0.1"];
        assert_eq!(client("127.0.0.1", &spoofed), "203.0.113.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.9", "203.0.113.1"]), "203.0.113.1");
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_address_is_the_ipv4_address() {
        assert_eq!(client("2001:db8:1:2:3::4", &[]), "2001:db8:1:2::");
        assert_eq!(client("::ffff:192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(client("::ffff:127.0.0.1", &["203.0.113.1"]), "203.0.113.1");
    }

    #[test]
    fn an_error_names_the_text_that_is_not_a_network() {
        assert_eq!(Proxies::parse(&["10.0.0.0/8", "lb"]).unwrap_err(), "lb");
    }
}
