//! Where functions may connect to, and where they may send requests to (LE-346).
//!
//! Connections of their own are checked for the name that was asked for and again for the address it resolved to, so
//! that a name pointing at a refused address gains nothing. A function may have a list of its own of what is left to
//! it; the list opens nothing that is refused to everyone. An origin that a function names is connected to by the
//! node, which asks [`Egress::judge`] about each address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use deno_permissions::{
    Host, NetDescriptor, Permissions, PermissionsContainer, PermissionsOptions,
    RuntimePermissionDescriptorParser,
};
use fourfront_model::{EgressHost, EgressRule};
use ipnet::{IpNet, Ipv6Net};

use super::trial;

/// Refused unless allowed: loopback, link-local and this-network addresses; [`is_local`] in the engine's words.
const LOCAL: &[&str] = &[
    "127.0.0.0/8",
    "0.0.0.0/8",
    "169.254.0.0/16",
    "[::1]",
    "[::]",
    "localhost",
];

/// `fe80::/10`, which the engine's list cannot spell.
const LINK_LOCAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

/// Refused unless allowed: private networks, in which a node often stands beside what trusts its neighbours (LE-A50);
/// [`is_private`] in the engine's words.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.168.0.0/16",
];

/// `fc00::/7`, which the engine's list cannot spell.
const UNIQUE_LOCAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// What outgoing connections of functions are refused.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Lets functions reach loopback and link-local addresses: for development against local APIs.
    pub allow_local: bool,
    /// Lets functions reach the addresses of private networks.
    pub allow_private: bool,
    /// The node's own admin listener, which no function reaches in any case: it asks nobody who they are.
    pub admin: Option<SocketAddr>,
    /// Further hosts, addresses, subnets or `host:port` pairs to refuse to functions' own connections.
    pub deny: Vec<String>,
}

/// Why an address is refused (LE-346).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressRefusal {
    /// The admin listener.
    #[error("the node's own admin address")]
    Admin,
    /// Loopback, link-local or unspecified.
    #[error("an address inside this machine or of its link")]
    Local,
    /// Of a private network.
    #[error("an address of a private network")]
    Private,
}

impl Egress {
    /// Whether the node may connect to an address because a function says so. An origin whose host is configured
    /// is the operator's own choice, so only the admin listener is refused to it.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, address: SocketAddr, configured_host: bool) -> Result<(), EgressRefusal> {
        let ip = address.ip().to_canonical();
        let is_admin = |admin: SocketAddr| {
            // The unspecified address leads to loopback, whichever the listener is bound to.
            address.port() == admin.port()
                && (ip == admin.ip().to_canonical() || ip.is_unspecified())
        };
        if self.admin.is_some_and(is_admin) {
            Err(EgressRefusal::Admin)
        } else if is_local(ip) && !self.allow_local && !configured_host {
            Err(EgressRefusal::Local)
        } else if is_private(ip) && !self.allow_private && !configured_host {
            Err(EgressRefusal::Private)
        } else {
            Ok(())
        }
    }

    /// The rules as the engine checks them.
    ///
    /// `allow` is a function's own list: only what stands there is left, without what is refused to everyone. A name
    /// is looked up in it as it was asked for; what is refused is looked at again when the name has an address.
    ///
    /// # Errors
    /// Names the entry that is no host, address or subnet.
    pub(super) fn permissions(
        &self,
        allow: Option<&[EgressRule]>,
    ) -> Result<PermissionsContainer, String> {
        let parser = Arc::new(RuntimePermissionDescriptorParser::new(
            sys_traits::impls::RealSys,
        ));
        let options = PermissionsOptions {
            prompt: false,
            // `tls.rootCertificates`: what connections trust is compiled in, and no secret of the node's (NC-33).
            allow_sys: Some(vec!["ca".into()]),
            ..PermissionsOptions::default()
        };
        let mut permissions =
            Permissions::from_options(&*parser, &options).map_err(|e| e.to_string())?;
        let deny = self.denied()?;
        // An empty list of what is allowed allows everything, and one of what is denied denies everything.
        let deny = (!deny.is_empty()).then_some(deny);
        let allow: Vec<_> = match allow {
            None => Vec::new(),
            Some([]) => {
                permissions.net = Permissions::new_unary(None, Some(Vec::new()), false);
                return Ok(PermissionsContainer::new(parser, permissions));
            }
            Some(rules) => rules.iter().map(allowed).collect::<Result<_, _>>()?,
        };
        permissions.net = Permissions::new_unary(Some(allow), deny, false);
        Ok(PermissionsContainer::new(parser, permissions))
    }

    fn denied(&self) -> Result<Vec<NetDescriptor>, String> {
        let parse = |entry: &str| NetDescriptor::parse_for_list(entry).map_err(|e| e.to_string());
        let mut denied = Vec::new();
        for entry in &self.deny {
            denied.push(parse(entry)?);
        }
        if let Some(admin) = self.admin {
            let port = Some(u32::from(admin.port()));
            denied.extend([
                NetDescriptor(Host::Ip(admin.ip().to_canonical()), port),
                NetDescriptor(Host::Ip(Ipv4Addr::UNSPECIFIED.into()), port),
                NetDescriptor(Host::Ip(Ipv6Addr::UNSPECIFIED.into()), port),
            ]);
        }
        let refused = [
            (self.allow_local, LOCAL, LINK_LOCAL_V6),
            (self.allow_private, PRIVATE, UNIQUE_LOCAL_V6),
        ];
        for (allow, entries, (address, bits)) in refused {
            if allow {
                continue;
            }
            for entry in entries {
                denied.push(parse(entry)?);
            }
            let subnet = Ipv6Net::new(address, bits).map_err(|e| e.to_string())?;
            denied.push(NetDescriptor(Host::IpSubnet(IpNet::V6(subnet)), None));
        }
        Ok(denied)
    }

    pub(super) fn fetch_options(&self) -> deno_fetch::Options {
        deno_fetch::Options {
            user_agent: "node".into(),
            request_builder_hook: Some(|_| trial::may_leave()),
            root_cert_store_provider: self.roots(),
            ..deno_fetch::Options::default()
        }
    }

    /// Certificate authorities: those compiled in.
    pub(super) fn roots(&self) -> Option<Arc<dyn deno_tls::RootCertStoreProvider>> {
        None
    }
}

/// An entry of a function's list in the engine's words.
fn allowed(rule: &EgressRule) -> Result<NetDescriptor, String> {
    let name = |text: &str| {
        NetDescriptor::parse_for_list(text)
            .map(|descriptor| descriptor.0)
            .map_err(|e| format!("{rule}: {e}"))
    };
    let host = match &rule.host {
        EgressHost::Name(host) => name(host)?,
        EgressHost::Subdomains(host) => name(&format!("*.{host}"))?,
        EgressHost::Subnet(ip, bits) => {
            let subnet = IpNet::new(*ip, *bits).map_err(|e| format!("{rule}: {e}"))?;
            Host::IpSubnet(subnet)
        }
    };
    Ok(NetDescriptor(host, rule.port.map(u32::from)))
}

/// Loopback, link-local or this-network, given in its canonical form.
const fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

/// RFC 1918, RFC 6598 or RFC 4193, given in its canonical form.
const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(egress: &Egress, address: &str, configured: bool) -> Result<(), EgressRefusal> {
        egress.judge(address.parse().unwrap(), configured)
    }

    #[test]
    fn origins_inside_the_machine_are_refused_unless_allowed() {
        // LE-346
        let egress = Egress::default();
        let open = Egress {
            allow_local: true,
            ..Egress::default()
        };
        for local in [
            "127.0.0.1:80",
            "127.8.9.1:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "169.254.169.254:80",
            "[::1]:80",
            "[::]:80",
            "[fe80::1]:80",
            "[febf::1]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            let refused = Err(EgressRefusal::Local);
            assert_eq!(judge(&egress, local, false), refused, "{local}");
            assert_eq!(judge(&egress, local, true), Ok(()), "{local}");
            assert_eq!(judge(&open, local, false), Ok(()), "{local}");
        }
        for other in ["192.0.2.1:80", "[fec0::1]:80"] {
            assert_eq!(judge(&egress, other, false), Ok(()), "{other}");
        }
    }

    #[test]
    fn private_networks_are_refused_unless_allowed() {
        // LE-346, LE-A50
        let egress = Egress::default();
        let open = Egress {
            allow_private: true,
            ..Egress::default()
        };
        for private in [
            "10.0.0.1:80",
            "100.64.0.1:80",
            "100.127.255.254:80",
            "172.16.0.1:80",
            "172.31.255.254:80",
            "192.168.1.1:80",
            "[fc00::1]:80",
            "[fdff::1]:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let refused = Err(EgressRefusal::Private);
            assert_eq!(judge(&egress, private, false), refused, "{private}");
            assert_eq!(judge(&egress, private, true), Ok(()), "{private}");
            assert_eq!(judge(&open, private, false), Ok(()), "{private}");
        }
        for public in [
            "100.63.255.255:80",
            "100.128.0.1:80",
            "172.32.0.1:80",
            "[fe00::1]:80",
        ] {
            assert_eq!(judge(&egress, public, false), Ok(()), "{public}");
        }
    }

    #[test]
    fn the_admin_listener_is_refused_to_everyone() {
        // LE-346
        let egress = Egress {
            allow_local: true,
            admin: Some("127.0.0.1:9400".parse().unwrap()),
            ..Egress::default()
        };
        for admin in [
            "127.0.0.1:9400",
            "0.0.0.0:9400",
            "[::]:9400",
            "[::ffff:127.0.0.1]:9400",
        ] {
            let refused = Err(EgressRefusal::Admin);
            assert_eq!(judge(&egress, admin, false), refused, "{admin}");
            assert_eq!(judge(&egress, admin, true), refused, "{admin}");
        }
        assert_eq!(judge(&egress, "127.0.0.1:9401", false), Ok(()));
    }

    #[test]
    fn entries_that_are_no_hosts_are_named() {
        let egress = Egress {
            deny: vec!["a b".into()],
            ..Egress::default()
        };
        assert!(egress.permissions(None).is_err());
        assert!(Egress::default().permissions(None).is_ok());
    }
}
