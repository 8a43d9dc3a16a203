//! Origins: where a miss is fetched from (CF section 5).

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use crate::{Credentials, Pool, ShieldRegion};

/// The scheme spoken to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl OriginProtocol {
    /// `http` or `https`, as in `origin.custom.protocol` (LE-107).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when none is named.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A TLS version an origin may be reached with (LE-111, CF-422).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SslProtocol {
    /// `SSLv3`; accepted in lists, never offered (CF-422).
    SslV3,
    /// `TLSv1`.
    TlsV1,
    /// `TLSv1.1`.
    TlsV1_1,
    /// `TLSv1.2`.
    TlsV1_2,
}

impl SslProtocol {
    /// The name in `origin.custom.sslProtocols`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SslV3 => "SSLv3",
            Self::TlsV1 => "TLSv1",
            Self::TlsV1_1 => "TLSv1.1",
            Self::TlsV1_2 => "TLSv1.2",
        }
    }

    /// The version of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SslV3, Self::TlsV1, Self::TlsV1_1, Self::TlsV1_2]
            .into_iter()
            .find(|p| p.as_str() == name)
    }
}

/// How requests to an S3 bucket are authorised (LE-112, LE-118).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum S3AuthMethod {
    /// Unsigned.
    #[default]
    None,
    /// Signed with the credentials configured for this origin.
    OriginAccessIdentity,
}

impl S3AuthMethod {
    /// The name in `origin.s3.authMethod`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OriginAccessIdentity => "origin-access-identity",
        }
    }
}

/// The part of an origin only custom origins have (LE-106..111).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomOrigin {
    /// Scheme.
    pub protocol: OriginProtocol,
    /// TCP port.
    pub port: u16,
    /// Permitted TLS versions.
    pub ssl_protocols: Vec<SslProtocol>,
    /// How long an idle connection is kept (CF-395).
    pub keepalive_timeout: Duration,
}

/// The part of an origin only S3 origins have (LE-112, LE-113).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Origin {
    /// Whether requests are signed.
    pub auth_method: S3AuthMethod,
    /// Bucket region; may be empty when unsigned.
    pub region: String,
}

/// What kind of server an origin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// An HTTP server.
    Custom(CustomOrigin),
    /// An S3 bucket endpoint.
    S3(S3Origin),
    /// A local directory standing in for an S3 bucket. Functions see it as an `s3` origin.
    Dir(PathBuf),
}

impl OriginKind {
    /// Protocol and port, where they are the origin's own.
    const fn server(&self) -> Option<(OriginProtocol, u16)> {
        match self {
            Self::Custom(custom) => Some((custom.protocol, custom.port)),
            Self::S3(_) | Self::Dir(_) => None,
        }
    }
}

/// One origin of a distribution (CF section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Unique within the distribution (CF-411).
    pub id: String,
    /// Host name or address in lower case, without scheme or port; an IPv6 address without its brackets.
    pub domain_name: String,
    /// Prefix of every path sent: empty, or `/x` without a trailing slash (CF-414).
    pub origin_path: String,
    /// Headers added to every request, overwriting the viewer's (CF-412). Names in the casing configured.
    pub custom_headers: Vec<(String, String)>,
    /// Connect tries, 1 to 3 (CF-391).
    pub connection_attempts: u32,
    /// Time for one connect try (CF-390).
    pub connection_timeout: Duration,
    /// Time to the first byte and between bytes (CF-392).
    pub read_timeout: Duration,
    /// Total budget over attempts and body; `None` is unlimited (CF-394).
    pub response_completion_timeout: Option<Duration>,
    /// What is there.
    pub kind: OriginKind,
    /// How requests to a bucket are signed; `None` when they are not.
    pub access: Option<Arc<OriginAccess>>,
    /// Where a bucket's connections go in the place of its domain name: a server that speaks S3's protocol (CF-436).
    pub endpoint: Option<Endpoint>,
    /// Of which kinds the addresses of its name may be.
    pub ip_address_type: IpAddressType,
    /// PEM file of the certificate authorities that alone vouch for this origin; `None` are those of the node (CF-424).
    pub ca: Option<PathBuf>,
    /// Servers that stand behind the name; `None` are the addresses the name has (CF-808).
    pub pool: Option<Arc<Pool>>,
    /// The region whose shield is asked in its place, by a node that is none of that region itself (CF-415).
    pub shield: Option<ShieldRegion>,
    /// The same origin as viewers on HTTPS come to it, where its protocol is theirs (`match-viewer`, CF-421). Only
    /// [`Self::kind`] differs, and this one has none itself.
    pub secure: Option<Arc<Self>>,
}

/// Which of a name's addresses are connected to (CF-398). CloudFront's default, `ipv4`, is what a document in its form
/// says; an origin that says nothing is reached by whatever address it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpAddressType {
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both, IPv4 first.
    #[default]
    Dualstack,
}

impl IpAddressType {
    /// The name in `IpAddressType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dualstack => "dualstack",
        }
    }

    /// Whether an address is of a kind that may be connected to.
    pub const fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
            Self::Dualstack => true,
        }
    }
}

/// An origin access control: when and with what requests are signed (CF-432, CF-435).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginAccess {
    /// The control's id.
    pub id: String,
    /// When.
    pub behavior: SigningBehavior,
    /// With what.
    pub credentials: Credentials,
}

/// `SigningBehavior` (CF-432).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningBehavior {
    /// Every request, in the place of the viewer's own `Authorization`, and over HTTPS.
    Always,
    /// Those that come without an `Authorization`.
    NoOverride,
}

/// A server by scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme.
    pub protocol: OriginProtocol,
    /// A name, or an address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The bucket, where the server knows it by path and not by host: its name then begins every path that is sent there, and
    /// `Host` is the server's (CF-436). Empty where the domain name says it all.
    pub bucket: String,
}

impl Endpoint {
    /// What `Host` says to this server: an IPv6 address in brackets, and the port unless it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == self.protocol.default_port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }
}

impl Origin {
    /// What viewers of a scheme come to (CF-421).
    pub fn for_viewer(self: &Arc<Self>, scheme: OriginProtocol) -> &Arc<Self> {
        match (&self.secure, scheme) {
            (Some(secure), OriginProtocol::Https) => secure,
            _ => self,
        }
    }

    /// Keeps of what is configured for a server what still belongs to it: a function may have named another one, of which
    /// the configuration knows neither addresses nor authorities (LE-116, LE-475).
    pub fn keep_server_of(&mut self, configured: &Self) {
        let same_name = self
            .domain_name
            .eq_ignore_ascii_case(&configured.domain_name);
        let same_server = same_name && self.kind.server() == configured.kind.server();
        self.ip_address_type = match same_name {
            true => configured.ip_address_type,
            false => IpAddressType::default(),
        };
        self.ca = configured.ca.clone().filter(|_| same_name);
        self.pool = configured.pool.clone().filter(|_| same_server);
        // Where functions run that name origins, the shield has been passed already.
        self.shield = None;
    }

    /// An origin with CloudFront's defaults: 3 attempts of 10 s, 30 s between bytes (CF-390..392).
    pub fn new(id: impl Into<String>, domain_name: impl Into<String>, kind: OriginKind) -> Self {
        Self {
            id: id.into(),
            domain_name: domain_name.into(),
            origin_path: String::new(),
            custom_headers: Vec::new(),
            connection_attempts: 3,
            connection_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            response_completion_timeout: None,
            kind,
            access: None,
            endpoint: None,
            ip_address_type: IpAddressType::default(),
            ca: None,
            pool: None,
            shield: None,
            secure: None,
        }
    }
}

impl CustomOrigin {
    /// A custom origin on `port` with CloudFront's defaults: TLSv1.2, 5 s keep-alive.
    pub fn new(protocol: OriginProtocol, port: u16) -> Self {
        Self {
            protocol,
            port,
            ssl_protocols: vec![SslProtocol::TlsV1_2],
            keepalive_timeout: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ejection, PoolChoice, PoolMember};

    #[test]
    fn a_server_that_a_function_names_has_nothing_of_the_configured_one() {
        // LE-116, LE-475, CF-424, CF-808
        let custom = |port| OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, port));
        let mut configured = Origin::new("o", "app.test", custom(443));
        configured.ip_address_type = IpAddressType::Ipv6;
        configured.ca = Some("ca.pem".into());
        configured.pool = Some(Arc::new(Pool {
            members: vec![PoolMember {
                host: "a.test".to_owned(),
                port: None,
                weight: 1,
            }],
            choice: PoolChoice::default(),
            health_check: None,
            ejection: Ejection::default(),
        }));
        let kept = |domain: &str, port| {
            let mut origin = Origin::new("o", domain, custom(port));
            origin.keep_server_of(&configured);
            let is_v6 = origin.ip_address_type == IpAddressType::Ipv6;
            (is_v6, origin.ca.is_some(), origin.pool.is_some())
        };
        assert_eq!(kept("APP.test", 443), (true, true, true));
        assert_eq!(kept("app.test", 444), (true, true, false));
        assert_eq!(kept("other.test", 443), (false, false, false));
    }
}
