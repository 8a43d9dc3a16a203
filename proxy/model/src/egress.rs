//! Where a function may connect to: the entries of its egress allow list (LE-346).

use std::{fmt, net::IpAddr, str::FromStr};

/// One entry of a function's egress allow list: hosts or addresses, and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// What may be connected to.
    pub host: EgressHost,
    /// On which port; any when it is not said.
    pub port: Option<u16>,
}

/// What an [`EgressRule`] lets a function reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressHost {
    /// This name, in lower case. Whatever it resolves to.
    Name(String),
    /// This name and every one below it, in lower case.
    Subdomains(String),
    /// The addresses that share so many leading bits with this one.
    Subnet(IpAddr, u8),
}

/// Why a text is not an entry of an egress allow list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host that functions may reach: write a name, `*.` and a name, an address or a subnet, and after it `:port` if only one is meant; IPv6 stands in brackets"
)]
pub struct EgressRuleError(pub String);

impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            EgressHost::Name(name) => f.write_str(name)?,
            EgressHost::Subdomains(name) => write!(f, "*.{name}")?,
            EgressHost::Subnet(ip, bits) => {
                let whole = *bits == width(*ip);
                match (ip, whole) {
                    (IpAddr::V4(ip), true) => write!(f, "{ip}")?,
                    (IpAddr::V4(ip), false) => write!(f, "{ip}/{bits}")?,
                    (IpAddr::V6(ip), true) => write!(f, "[{ip}]")?,
                    (IpAddr::V6(ip), false) => write!(f, "[{ip}/{bits}]")?,
                }
            }
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for EgressRule {
    type Err = EgressRuleError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s).ok_or_else(|| EgressRuleError(s.to_owned()))
    }
}

fn parse(s: &str) -> Option<EgressRule> {
    if let Some(rest) = s.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let (ip, bits) = subnet(inside)?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port_of(port)?),
            None if after.is_empty() => None,
            None => return None,
        };
        let host = EgressHost::Subnet(ip, bits);
        return ip.is_ipv6().then_some(EgressRule { host, port });
    }
    let (host, port) = match s.split_once(':') {
        Some((host, port)) => (host, Some(port_of(port)?)),
        None => (s, None),
    };
    let host = match subnet(host) {
        Some((ip, bits)) => EgressHost::Subnet(ip, bits),
        None => match host.strip_prefix("*.") {
            Some(name) => EgressHost::Subdomains(name_of(name)?),
            None => EgressHost::Name(name_of(host)?),
        },
    };
    Some(EgressRule { host, port })
}

/// An address, or an address and how many of its bits count.
fn subnet(s: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = match s.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits)),
        None => (s, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|b| *b <= width(ip))?,
        None => width(ip),
    };
    Some((ip, bits))
}

const fn width(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn port_of(s: &str) -> Option<u16> {
    let digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    s.parse().ok().filter(|p| digits && *p != 0)
}

/// A DNS name: labels of letters, digits, `-` and `_`.
fn name_of(s: &str) -> Option<String> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // What looks like an address and is none, such as `10.0.0.256`, is a slip and not a name.
    let numeric = s
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (s.len() <= 253 && !numeric && s.split('.').all(label)).then(|| s.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_names_addresses_and_subnets_with_or_without_a_port() {
        // LE-346
        for text in [
            "api.example.test",
            "api.example.test:8443",
            "*.example.test",
            "*.example.test:443",
            "192.0.2.1",
            "192.0.2.1:80",
            "10.0.0.0/8",
            "10.0.0.0/8:5432",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "[fc00::/7]",
            "localhost:3000",
        ] {
            let rule: EgressRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
        let rule: EgressRule = "API.Example.test".parse().unwrap();
        assert_eq!(rule.host, EgressHost::Name("api.example.test".into()));
    }

    #[test]
    fn what_is_no_host_is_named() {
        // LE-346
        for text in [
            "",
            "*",
            "*.",
            "a b",
            "https://api.example.test",
            "api.example.test/path",
            "api.example.test:",
            "api.example.test:0",
            "api.example.test:65536",
            "api..test",
            "a.*.test",
            "10.0.0.256",
            "10.0.0.0/33",
            "2001:db8::1",
            "[2001:db8::1",
            "[192.0.2.1]",
            "[::1]x",
        ] {
            let error = text.parse::<EgressRule>().unwrap_err();
            assert_eq!(error, EgressRuleError(text.into()), "{text}");
        }
    }
}
