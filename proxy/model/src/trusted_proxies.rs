//! Proxies in front of the node whose word on a viewer's address is taken (CF-354).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;

/// Networks of proxies that tell whom they speak for in `X-Forwarded-For`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address and no network, such as `10.0.0.0/8` or `2001:db8::/32`")]
pub struct NetworkError(pub String);

impl TrustedProxies {
    /// Those in these networks, each an address or an address and how many of its bits count.
    ///
    /// # Errors
    /// [`NetworkError`] for the first that is neither.
    pub fn new<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(network);
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }

    /// Whether nobody is trusted.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        // An IPv4 address that a socket for both shows as one of IPv6 is one of IPv4.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who the viewer is, if `peer` has connected and `lists` are the values of its `X-Forwarded-For`, in order
    /// (CF-354): the peer, if it is no trusted proxy, or else the last hop on the list that is none. What stands
    /// before that hop may be made up by whoever sent it. Where all hops are trusted, it is the first; a hop that is no address ends
    /// the list, as nothing before it can be trusted either.
    ///
    /// The port is the hop's own where the list tells it, and else 0: the peer's belongs to another connection.
    pub fn viewer<'a, I>(&self, peer: SocketAddr, lists: I) -> SocketAddr
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: DoubleEndedIterator,
    {
        if self.is_empty() || !self.trusts(peer.ip()) {
            return peer;
        }
        let mut viewer = peer;
        let lists = lists.into_iter().rev();
        let hops = lists.flat_map(|list| list.rsplit(|b| *b == b','));
        for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
            let Some(address) = address(hop) else {
                break;
            };
            viewer = address;
            if !self.trusts(address.ip()) {
                break;
            }
        }
        viewer
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(ToString::to_string);
        f.debug_list().entries(shown).finish()
    }
}

fn network(text: &str) -> Result<IpNet, NetworkError> {
    let parsed = match text.contains('/') {
        true => IpNet::from_str(text).ok().map(|network| network.trunc()),
        false => text.parse::<IpAddr>().ok().map(IpNet::from),
    };
    let parsed = parsed.ok_or_else(|| NetworkError(text.to_owned()))?;
    Ok(canonical(parsed))
}

/// A network of IPv4 addresses that is written as one of IPv6 (RFC 4291 section 2.5.5.2), as the one that is meant.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network.addr() {
        IpAddr::V6(address) if network.prefix_len() >= 96 => address.to_ipv4_mapped(),
        _ => None,
    };
    let plain = mapped.and_then(|address| {
        let prefix = network.prefix_len().checked_sub(96)?;
        ipnet::Ipv4Net::new(address, prefix).ok()
    });
    plain.map_or(network, IpNet::from)
}

/// An address with or without a port; one of IPv6 with a port stands in brackets, as in `Forwarded` (RFC 7239 section 6).
fn address(hop: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), 0).into());
    }
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(|| Some(SocketAddr::new(in_brackets()?, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(peer: &str, lists: &[&str]) -> String {
        let trusted = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]).unwrap();
        let lists = lists.iter().map(|l| l.as_bytes());
        trusted.viewer(peer.parse().unwrap(), lists).to_string()
    }

    #[test]
    fn networks_of_ipv4_may_be_written_as_those_of_ipv6() {
        // CF-354
        let trusted = TrustedProxies::new(["::ffff:10.0.0.0/104"]).unwrap();
        assert_eq!(trusted, TrustedProxies::new(["10.0.0.0/8"]).unwrap());
        assert!(trusted.trusts("10.1.2.3".parse().unwrap()));
        assert!(trusted.trusts("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!trusted.trusts("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn the_viewer_is_the_last_hop_that_is_not_trusted() {
        // CF-354
        let rows: [(&str, &[&str], &str); 14] = [
            // A stranger's list is not looked at.
            ("192.0.2.1:5", &["198.51.100.1"], "192.0.2.1:5"),
            ("10.0.0.1:5", &["198.51.100.1"], "198.51.100.1:0"),
            ("[::ffff:10.0.0.1]:5", &["198.51.100.1"], "198.51.100.1:0"),
            // What the viewer made up stands before it.
            (
                "10.0.0.1:5",
                &["10.9.9.9, 203.0.113.9, 198.51.100.1,10.0.0.2"],
                "198.51.100.1:0",
            ),
            (
                "10.0.0.1:5",
                &["203.0.113.9, 198.51.100.1", "192.0.2.7"],
                "198.51.100.1:0",
            ),
            ("10.0.0.1:5", &["192.0.2.8"], "192.0.2.8:0"),
            // Nobody but proxies: the first of them.
            ("10.0.0.1:5", &["10.0.0.3, 10.0.0.2"], "10.0.0.3:0"),
            ("10.0.0.1:5", &[], "10.0.0.1:5"),
            ("10.0.0.1:5", &[" , "], "10.0.0.1:5"),
            // Ports and brackets.
            ("10.0.0.1:5", &["198.51.100.1:80"], "198.51.100.1:80"),
            ("10.0.0.1:5", &["[2001:db9::1]:80"], "[2001:db9::1]:80"),
            (
                "[2001:db8::5]:5",
                &["[2001:db9::1], 2001:db8::1"],
                "[2001:db9::1]:0",
            ),
            // What is no address ends the list.
            ("10.0.0.1:5", &["198.51.100.1, unknown"], "10.0.0.1:5"),
            (
                "10.0.0.1:5",
                &["198.51.100.1, unknown, 10.0.0.2"],
                "10.0.0.2:0",
            ),
        ];
        for (peer, lists, want) in rows {
            assert_eq!(viewer(peer, lists), want, "{peer} {lists:?}");
        }
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_number_of_bits() {
        // CF-354
        let trusted = TrustedProxies::new(["10.1.2.3/8"]).unwrap();
        assert!(trusted.trusts([10, 9, 9, 9].into()));
        assert_eq!(format!("{trusted:?}"), r#"["10.0.0.0/8"]"#);
        assert!(!TrustedProxies::default().trusts([10, 9, 9, 9].into()));
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "all",
            "2001:db8::/129",
            "10.0.0.0/",
        ] {
            let refused = TrustedProxies::new([text]);
            assert_eq!(refused, Err(NetworkError(text.to_owned())), "{text}");
        }
    }
}
